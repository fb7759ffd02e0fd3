# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from tetra_vpr_ros.simulation.camera import CameraEffects
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan, FloorPlan
from tetra_vpr_ros.simulation.level import CLASSES, Pose2D, Sector, WorldError
from tetra_vpr_ros.simulation.route import drive as drive_along
from tetra_vpr_ros.simulation.route import plan_lap, second_lap


@pytest.fixture(scope='module')
def world(doom_world):
    with doom_world('e1m1') as opened:
        yield opened


@pytest.fixture(scope='module')
def plan(world):
    return build_floor_plan(world.sectors(), world.start)


def test_the_camera_stands_where_it_is_put(world, plan):
    for pose in drive_along(plan_lap(plan), 5.0)[:10]:
        image, stood = world.look(pose)
        assert image.shape == (480, 640, 3)
        assert image.std() > 1
        assert math.hypot(stood.x - pose.x, stood.y - pose.y) < 0.03
        turn = (stood.yaw - pose.yaw + math.pi) % (2 * math.pi) - math.pi
        assert abs(turn) < math.radians(0.1)


def test_the_same_pose_gives_the_same_picture(world, plan):
    a, b = drive_along(plan_lap(plan), 8.0)[2:4]
    first = world.look(a)[0]
    world.look(b)
    # Lights flicker and textures move; most pixels do not.
    assert (world.look(a)[0] == first).mean() > 0.9
    assert (world.look(b)[0] == first).mean() < 0.5


def test_a_level_that_does_not_exist(doom_world):
    with pytest.raises(WorldError, match='e9m9'):
        doom_world('e9m9')


def room(x1, y1, x2, y2, blocking=True, floor=0.0, ceiling=3.0):
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    lines = np.array([[*a, *b] for a, b in zip(corners, [*corners[1:], corners[0]])])
    return Sector(floor, ceiling, lines, np.full(4, blocking))


def test_free_space_ends_at_walls_ledges_and_low_ceilings():
    start = Pose2D(2.0, 2.0, 0.0)
    for change, reachable in (({}, True), ({'floor': 2.0, 'ceiling': 5.0}, False),
                              ({'ceiling': 1.0}, False), ({'floor': 0.3}, True)):
        rooms = [room(0, 0, 6, 6, blocking=False), room(6, 0, 12, 6, blocking=False, **change)]
        plan = build_floor_plan(rooms, start)
        row, col = plan.to_cell(9.0, 3.0)
        assert plan.free[row, col] == reachable, change
    plan = build_floor_plan([room(0, 0, 6, 6), room(6, 0, 12, 6)], start)
    assert not plan.free[plan.to_cell(9.0, 3.0)]
    assert plan.clearance_at(3.0, 3.0) == pytest.approx(3.0, abs=0.4)
    assert plan.clearance_at(-50.0, 0.0) == 0.0


def test_no_room_for_a_lap():
    empty = FloorPlan((0, 0), 0.25, np.zeros((9, 9), bool), np.zeros((9, 9), np.float32),
                      np.zeros((0, 4)))
    with pytest.raises(WorldError, match='no room'):
        plan_lap(empty)
    assert not build_floor_plan([room(0, 0, 0.5, 0.5)], Pose2D(0, 0, 0)).free.any()


def test_laps_stay_in_free_space_and_the_second_one_differs(plan, rng):
    path = plan_lap(plan)
    length = np.hypot(*np.diff(path, axis=0).T).sum()
    assert length > 100
    assert np.array_equal(path[0], path[-1])
    first = drive_along(path, 0.15)
    second = second_lap(plan, first, rng)
    assert min(plan.clearance_at(p.x, p.y) for p in second) > 0.3
    apart = [math.hypot(a.x - b.x, a.y - b.y) for a, b in zip(first, second)]
    assert 0.25 < np.median(apart) <= 0.6
    assert max(apart) <= 0.61
    jumps = [math.hypot(a.x - b.x, a.y - b.y) for a, b in zip(second, second[1:])]
    assert max(jumps) < 0.5
    turns = np.degrees([abs(a.yaw - b.yaw) for a, b in zip(first, second)])
    assert turns.mean() > 1
    assert turns.max() <= 10
    steps = [abs(a.yaw - b.yaw) for a, b in zip(first, first[1:])]
    assert max(steps) <= math.radians(12) + 1e-9
    moved = drive_along(path, 0.15, start=0.5)
    assert math.hypot(moved[0].x - first[0].x, moved[0].y - first[0].y) > 3


def test_camera_effects(drive, rng):
    image = drive[0][2]
    assert np.array_equal(CameraEffects().apply(image, rng), image)
    dark = CameraEffects(exposure=0.5).apply(image, rng)
    assert dark.mean() == pytest.approx(image.mean() / 2, rel=0.05)
    noisy = CameraEffects(noise=0.05, blur=1.0, gamma=1.2).apply(image, rng)
    assert noisy.dtype == np.uint8
    assert noisy.shape == image.shape


@pytest.mark.usefixtures('doom_world')
def test_training_pictures_never_show_a_level_of_the_demo(tmp_path):
    from tetra_vpr_ros.simulation.sample_views import DEMO_LEVELS, sample_level, training_levels
    levels = training_levels()
    assert len(levels) > 50
    assert not DEMO_LEVELS & set(levels)
    written = sample_level('map03', 3, tmp_path, views=3)
    assert 6 <= written <= 9
    names = sorted(path.name.split('@') for path in tmp_path.iterdir())
    assert len(names) == written
    assert all(len(name) == 16 and name[-1] == '.jpg' for name in names)
    by_place = {}
    for name in names:
        by_place.setdefault(name[7], []).append((float(name[1]), float(name[2]), float(name[9])))
    assert set(by_place) == {'map03-000', 'map03-001', 'map03-002'}
    for views in by_place.values():
        for x, y, heading in views:
            assert math.hypot(x - views[0][0], y - views[0][1]) < 3.2
            assert abs((heading - views[0][2] + 180) % 360 - 180) < 60


def test_segmentation_is_exact(doom_world, tmp_path):
    from tetra_vpr_ros.simulation.sample_views import sample_level
    with doom_world('map10', segmentation=True) as world:
        image, _ = world.look(world.start)
        classes = world.segment()
    assert classes.shape == image.shape[:2]
    share = np.bincount(classes.ravel(), minlength=len(CLASSES)) / classes.size
    named = dict(zip(CLASSES, share))
    assert named['sky'] > 0.05  # an open cave with two trees
    assert named['wall'] > 0.2
    assert named['floor'] > 0.1
    assert 0.01 < named['scenery'] < 0.2
    assert (classes[400:] != CLASSES.index('sky')).all()
    assert (classes[400:] != CLASSES.index('ceiling')).all()
    with doom_world('map10') as world, pytest.raises(WorldError, match='segmentation=True'):
        world.segment()
    labels = tmp_path / 'labels'
    labels.mkdir()
    sample_level('map03', 2, tmp_path, views=2, labels=labels)
    names = {path.stem for path in tmp_path.glob('*.jpg')}
    assert names == {path.stem for path in labels.iterdir()}
    assert names


def test_depth_is_metric(doom_world):
    with doom_world('map05', depth=True) as world:
        world.look(world.start)
        depth, height = world.depth(), world.height()
        assert depth.shape == (480, 640)
        # The floor before the camera, by the height of its eyes.
        rows = np.arange(470, 480)
        wanted = 1.28 * 0.8 * 480 / (rows + 0.5 - 240)
        assert np.allclose(np.median(depth[rows], 1), wanted, atol=0.15)
        assert height == pytest.approx(1.28, abs=0.01)  # this level's start lies at zero
    with doom_world('map05') as world, pytest.raises(WorldError, match='depth=True'):
        world.depth()
