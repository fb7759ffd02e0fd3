# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera that is turned, and cameras with other lenses than that of the map."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization import SingleFrameLocalizer
from tetra_vpr_ros.localization.lens import Lens
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.level import Pose2D

LEVEL = 'e1m1'  # of the fixtures 'drive' and 'map_file'


@pytest.fixture(scope='module')
def world(doom_world):
    with doom_world(LEVEL) as opened:
        yield opened


def look(world, poses, turn=0.0):
    """Yield what a camera sees that is turned to either side, and where it stands."""
    rng = np.random.default_rng(4)
    for i, pose in enumerate(poses):
        image, stood = world.look(Pose2D(pose.x, pose.y, pose.yaw + turn * (-1) ** i))
        yield SECOND_LAP_CAMERA.apply(image, rng), stood


def test_a_second_look_sees_by_how_much_the_camera_is_turned(world, drive, map_file, encoder):
    turn = math.radians(12)
    errors, blind = [], []
    with PlaceMap.open_file(map_file) as opened:
        second_look = SecondLook.of(opened, 20)
        localizer = SingleFrameLocalizer(opened, second_look=second_look)
        for image, stood in look(world, [pose for _, pose, _ in drive[::8]], turn):
            encoded = encoder.encode_with_tokens([image])
            for fov, into in ((None, blind), (math.pi / 2, errors)):
                second_look.see_through(0, fov)
                pose = localizer.match(encoded.descriptors[0], 0, encoded.tokens[0]).pose
                if math.dist(pose.position[:2], (stood.x, stood.y)) < 1.0:
                    yaw = Rotation.from_quat(pose.quaternion).as_euler('ZYX')[0]
                    into.append(abs(math.remainder(yaw - stood.yaw, 2 * math.pi)))
    print(f'{len(errors)} of {len(drive[::8])} near; heading off by '
          f'{np.degrees(np.median(blind)):.1f}° unseen, {np.degrees(np.median(errors)):.1f}° seen')
    assert len(errors) > 0.8 * len(drive[::8])
    assert np.median(errors) < math.radians(3) < np.median(blind)
    assert np.mean(np.array(errors) < 1.96 * HEADING_DEVIATION) > 0.9


@pytest.mark.parametrize('degrees', [60.0, 120.0])
def test_pictures_of_another_camera_are_fitted_to_the_map(world, drive, map_file, encoder,
                                                          degrees):
    world.set_field_of_view(degrees)
    lens = Lens.between(Camera.from_field_of_view(640, 480, math.radians(degrees)),
                        Camera.from_field_of_view(640, 480, math.pi / 2))
    poses = [pose for _, pose, _ in drive[2::6]]
    near = {True: [], False: []}
    with PlaceMap.open_file(map_file) as opened:
        localizer = SingleFrameLocalizer(opened)
    for image, stood in look(world, poses):
        for fitted, found in near.items():
            pose = localizer.match(encoder.encode(lens(image) if fitted else image)).pose
            found.append(math.dist(pose.position[:2], (stood.x, stood.y)) < 1.0)
    world.set_field_of_view(90.0)
    print(f'{degrees:g} degrees: recall@1 {100 * np.mean(near[False]):.0f} % as it is, '
          f'{100 * np.mean(near[True]):.0f} % fitted, n = {len(poses)}')
    assert np.mean(near[True]) > np.mean(near[False]) + 0.2
    assert np.mean(near[True]) > (0.9 if degrees > 90 else 0.6)
