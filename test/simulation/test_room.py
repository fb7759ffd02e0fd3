# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One room of six metres: a robot that drives through it again is found, and not beside itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.building.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.calibration import calibrate_map, MapCalibration
from tetra_vpr_ros.mapping.pose import level_quaternion
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.simulation.level import Pose2D

FRAME_NS = 100_000_000
NEAR, SAME_WAY = 0.6, math.radians(35)


def circle(middle, radius, step, start=0.0):
    """Return a drive round the middle of a room, anticlockwise."""
    angles = start + np.arange(0, 2 * np.pi, step / radius)
    return [Pose2D(middle[0] + radius * math.cos(a), middle[1] + radius * math.sin(a),
                   a + math.pi / 2) for a in angles]


@pytest.fixture(scope='module')
def laps(doom_world, encoder):
    """Return poses and encodings of three laps: two for the map, one to be found."""
    rng = np.random.default_rng(3)
    seen = []
    with doom_world('map11') as level:
        plan = build_floor_plan(level.sectors(), level.start)
        middle = plan.to_point(*np.unravel_index(np.argmax(np.where(
            plan.free, plan.clearance, 0)), plan.free.shape))
        for number, radius in enumerate((2.6, 1.9, 2.2)):
            frames = []
            for pose in circle(middle, radius, 0.12, start=number):
                image, stood = level.look(pose)
                if number == 2:
                    image = SECOND_LAP_CAMERA.apply(image, rng)
                (view,) = encoder.encode_with_tokens([image])
                frames.append((Pose(np.array([stood.x, stood.y, 0.0]),
                                    level_quaternion(stood.yaw)), view))
            seen.append(frames)
    return seen


def room_map(path, encoder, laps, distance):
    with PlaceMap.create(path, encoder.info) as new:
        new.set_meta(build={'keyframe_distance': distance, 'keyframe_angle': 15.0})
        for number, lap in enumerate(laps):
            session, wanted = new.begin_session(f'lap {number}'), KeyframeSelector(distance)
            for i, (pose, (descriptor, tokens)) in enumerate(lap):
                if wanted.wants(pose):
                    wanted.accept(pose)
                    new.add_places(session, [
                        NewPlace(10**18 + i * FRAME_NS, pose, descriptor, tokens=tokens)])
            new.finish_session(session)
        calibrate_map(new)
    return PlaceMap.open_file(path)


@pytest.mark.parametrize('name', ['bayes', 'single'])
@pytest.mark.parametrize('mapped, distance', [(1, 0.5), (2, 0.5), (2, 0.1)])
def test_a_robot_in_its_room_is_found(tmp_path, encoder, laps, name, mapped, distance):
    with room_map(tmp_path / 'room.vpr', encoder, laps[:mapped], distance) as opened:
        told = MapCalibration.stored(opened)
        assert told.judges
        assert (told.errors is not None) == (mapped == 2)
        places = opened.places()
        localizer = make_localizer(opened, LocalizerOptions(name))
        found = [localizer.locate([View(descriptor, tokens=tokens)], 10**18 + i * FRAME_NS)
                 for i, (_, (descriptor, tokens)) in enumerate(laps[2])]
    truth = [pose for pose, _ in laps[2]]
    again = [any(np.linalg.norm(places.positions[row] - pose.position) <= NEAR
                 and pose.angle_to(Pose(np.zeros(3), places.quaternions[row])) <= SAME_WAY
                 for row in range(len(places))) for pose in truth]
    off = np.array([estimate.pose.distance_to(pose) for estimate, pose in zip(found, truth)])
    taken = np.array([estimate.accepted for estimate in found])
    inside = []
    for estimate, pose in zip(found, truth):
        error = (estimate.pose.position - pose.position)[:2]
        inside.append(error @ np.linalg.inv(estimate.covariance[:2, :2]) @ error < 5.991)
    print(f'{name}, {mapped} laps, {len(places)} places: {np.sum(taken & again)} of '
          f'{np.sum(again)} revisits accepted, {np.sum(taken & (off > NEAR))} more than '
          f'{NEAR} m off, {np.sum(taken & (off > 1.5))} more than 1.5 m; ellipse holds '
          f'{np.mean(np.array(inside)[taken]):.1%}')
    assert np.sum(taken & again) >= 0.6 * np.sum(again)
    assert np.mean(off[taken] > NEAR) <= 0.01
    assert np.sum(off[taken] > 1.5) == 0
    assert np.mean(np.array(inside)[taken]) >= 0.92
