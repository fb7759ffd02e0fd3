# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags as robots really record them become a right map, or are refused with one line."""

from dataclasses import replace
import functools
import re

import numpy as np
import pytest
from street import camera, S, STEP, transforms, write_recording
from tetra_vpr_ros.mapping import BagError, build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.nodes.build_map import main
from tetra_vpr_ros.vision import PlaceEncoder

T = 1_700_000_000 * S
N = 40
MS = 1_000_000


@pytest.fixture
def images(street):
    return [image for _, _, image in street[:N]]


@pytest.fixture
def built(tmp_path, tiny):
    """Return how to record events, build a map of them, and return its places and the report."""
    def built(events, storage='mcap', **options):
        write_recording(tmp_path / 'run', events, storage)
        output = tmp_path / 'm.vpr'
        report = build_map(BuildOptions(output, (tmp_path / 'run',), model=tiny, **options),
                           progress=False)
        with PlaceMap.open_file(output) as opened:
            table = opened.places()
        return table, report

    return built


def drive(period=20 * MS, until=N * STEP, speed=10.0):
    """Return (stamp, x in metres) of a robot that drives along x."""
    return [(T + t, t / S * speed) for t in range(0, until + 1, period)]


def right(table, wanted=N, first=0, offset=0.0, within=1e-3):
    """Check that frames became places where the robot was."""
    assert len(table) == wanted
    assert np.array_equal(table.stamps, T + STEP * np.arange(first, first + wanted))
    where = (table.stamps - T) / S * 10.0
    assert np.allclose(table.positions[:, 0], where + offset, atol=within)
    assert np.allclose(table.positions[:, 1:], 0, atol=within)


TF = {'tf_frames': ('map', 'base_link')}


@pytest.mark.parametrize('ahead', [1.0, 2.0])
@pytest.mark.parametrize('every', [S, 100 * MS, 20 * MS])
def test_the_recipe_of_nav2_with_amcl_s_transform_tolerance(built, images, ahead, every):
    table, report = built([
        *camera(T, images),
        *transforms('map', 'odom', [(stamp, 3.0) for stamp, _ in drive(every)], 0,
                    int(ahead * S)),
        *transforms('odom', 'base_link', drive())], **TF)
    right(table, offset=3.0)
    assert report.notes == []


@pytest.mark.parametrize('lag', [2 * S, -3 * S])
def test_a_transform_that_has_nothing_to_do_with_it_does_not_matter(built, images, lag):
    table, report = built([
        *camera(T, images), *transforms('map', 'base_link', drive()),
        *transforms('base_link', 'wheel', drive(100 * MS), ahead=-lag)], **TF)
    right(table)
    assert report.notes == []


@pytest.mark.parametrize('topic', [None, '/odom'])
def test_poses_that_are_sent_again_do_not_matter(built, images, topic):
    again = [(stamp, x) for stamp, x in drive() if stamp % (400 * MS) == 0]
    if topic:
        events = [(stamp + delay, 'odometry', {'stamp': stamp, 'x': x, 'received': stamp + delay})
                  for poses, delay in ((drive(), 0), (again, 1500 * MS)) for stamp, x in poses]
    else:
        events = [*transforms('map', 'base_link', drive()),
                  *transforms('map', 'base_link', again, 1500 * MS)]
    table, report = built([*camera(T, images), *events], **({} if topic else TF))
    right(table)
    assert report.notes == []


@pytest.mark.parametrize('moments', [[0, 1, 2, 3, 4], [0, 2.5], [0]],
                         ids=['once a second', 'once a match', 'once'])
def test_a_correction_that_comes_rarely_is_held(built, images, moments):
    jumps = [(T + int(moment * S) - 50 * MS, 100.0 * i) for i, moment in enumerate(moments)]
    table, _ = built([
        *camera(T, images), *transforms('map', 'odom', jumps, 0),
        *transforms('odom', 'base_link', drive())], **TF)
    held = 100.0 * (np.searchsorted([stamp for stamp, _ in jumps], table.stamps, 'right') - 1)
    assert set(held) == {x for _, x in jumps if x < 400 or len(moments) < 5}
    table.positions[:, 0] -= held
    right(table)


def test_a_dense_edge_that_pauses_is_not_held(built, images):
    pausing = [(stamp, 3.0) for stamp, _ in drive() if not S < stamp - T < 2 * S]
    table, report = built([
        *camera(T, images), *transforms('map', 'odom', pausing),
        *transforms('odom', 'base_link', drive())], **TF)
    assert len(table) == N - 9
    assert report.without_pose == 9
    assert 'between two poses' in str(*report.skipped.values())
    assert '--max-pose-gap' in str(*report.skipped.values())
    assert '/camera/image_raw/compressed at 1700000001.100 s' in str(*report.skipped.values())


def odometry(poses, topic='/odom', **more):
    return [(stamp, 'odometry', {'stamp': stamp, 'x': x, 'topic': topic, **more})
            for stamp, x in poses]


def another(poses):
    return [(stamp, -50.0 - x) for stamp, x in poses]


@pytest.mark.parametrize('robot', [1, 2])
def test_the_transforms_of_the_camera_s_robot_are_taken(built, images, robot):
    image_topic = f'/robot{robot}/camera/image_raw/compressed'
    own = drive() if robot == 1 else another(drive())
    table, _ = built([
        *camera(T, images, image_topic), *camera(T, images, '/robot3/image'),
        *transforms('map', 'base_link', drive(), topic='/robot1/tf'),
        *transforms('map', 'base_link', another(drive()), topic='/robot2/tf')],
        image_topic=image_topic, **TF)
    assert np.allclose(table.positions[:, 0], [x for _, x in own[:N * 5:5]])


def test_the_tree_of_a_fleet_may_begin_at_the_root(built, images):
    table, _ = built([
        *camera(T, images, '/robot1/camera/image'),
        *transforms('map', 'odom', [(stamp, 3.0) for stamp, _ in drive()]),
        *transforms('odom', 'base_link', drive(), topic='/robot1/tf'),
        *transforms('odom', 'base_link', another(drive()), topic='/robot2/tf')], **TF)
    right(table, offset=3.0)


@pytest.mark.parametrize('image_topic, names', [
    ('/camera/image', ('/robot1', '/robot2')), ('/robot3/camera/image', ('/robot1', '/robot2')),
    ('/robot1/camera/image', ('/robot2',))])
def test_transforms_of_other_robots_are_refused_and_may_be_named(
        built, images, tmp_path, tiny, image_topic, names):
    events = [*camera(T, images, image_topic)]
    for name in names:
        poses = drive() if name == '/robot2' else another(drive())
        events += transforms('map', 'base_link', poses, topic=f'{name}/tf')
    with pytest.raises(BagError, match='--tf-topic: .*/robot2/tf'):
        built(events, **TF)
    report = build_map(BuildOptions(tmp_path / 'n.vpr', (tmp_path / 'run',), model=tiny,
                                    tf_topic='/robot2/tf', **TF), progress=False)
    assert report.places == N
    with pytest.raises(BagError, match="no transform topic '/robot9/tf'.*/robot2/tf"):
        build_map(BuildOptions(tmp_path / 'o.vpr', (tmp_path / 'run',),
                               tf_topic='/robot9/tf', **TF), progress=False)


def test_the_pose_topic_of_the_camera_s_robot_is_taken(built, images):
    table, _ = built([
        *camera(T, images, '/robot1/camera/image'), *odometry(drive(), '/robot1/odom'),
        *odometry(another(drive()), '/robot2/odom')])
    right(table)


@pytest.mark.parametrize('camera_topic, pose_topic, beside', [
    ('/robot1/camera/image', '/robot2/odom', None),
    ('/bob/camera/image', '/alice/odom', '/alice/camera/image')])
def test_the_only_pose_topic_may_be_another_robot_s(built, images, camera_topic, pose_topic,
                                                    beside):
    events = [*camera(T, images, camera_topic), *odometry(drive(), pose_topic)]
    if beside:
        events += camera(T, images, beside)
    with pytest.raises(BagError, match=f'0 pose topics.*{pose_topic}.*of another robot'):
        built(events, image_topic=camera_topic)


def test_two_robots_on_one_topic_are_refused(built, images):
    with pytest.raises(BagError, match=r'/odom: its poses leap by .* two robots'):
        built([*camera(T, images), *odometry(drive()), *odometry(another(drive()))])


def test_goals_and_topics_without_messages_are_no_poses(built, images):
    table, _ = built([
        *camera(T, images), *odometry(drive()),
        (T, 'pose_stamped', {'stamp': T, 'x': 7.0, 'topic': '/goal_pose'}),
        (T, 'pose_with_covariance', {'stamp': T, 'x': 7.0, 'topic': '/initialpose'})])
    right(table)


POWER_ON = 12 * S - T  # such a camera counts the seconds since it has power


def test_a_camera_of_another_clock_is_refused_and_may_take_the_times_of_the_recording(
        built, images, tmp_path, tiny):
    events = [*camera(T, images, clock=POWER_ON), *odometry(drive())]
    with pytest.raises(BagError, match=(
            r'/camera/image_raw/compressed .*12\.000 to about 15\.9.* s, .*1700000000\.000 to '
            r'1700000004\.000 s, -1699999988\.\d+ s off.*--image-time received')):
        built(events)
    assert list(tmp_path.glob('m.vpr*')) == []
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, (tmp_path / 'run',), model=tiny,
                                    image_time='received'), progress=False)
    assert report.places == N
    with PlaceMap.open_file(path) as opened:  # as late as the images came
        before = opened.places()
    assert np.allclose(before.positions[:, 0], 0.6 + np.arange(N))
    reencode(path, tmp_path / 'again.vpr', PlaceEncoder(tiny), from_bags=True, progress=False)
    with PlaceMap.open_file(tmp_path / 'again.vpr') as opened:
        assert np.array_equal(opened.places().descriptors, before.descriptors)


def test_clocks_that_overlap_are_compared_too(built, images):
    with pytest.raises(BagError, match=r'-20\.0\d+ s off'):
        built([*camera(T + 25 * S, images, clock=-20 * S), *odometry(drive(until=30 * S))])


def test_a_camera_that_is_a_little_off_is_noted(built, images):
    _, report = built([*camera(T + S, images, clock=2 * S), *odometry(drive(until=9 * S))])
    assert '/camera/image_raw/compressed is dated +1.9 s from' in report.notes[0]


def test_the_times_of_the_recording_are_led_to_poses_of_another_clock(built, images):
    table, report = built([
        *camera(T, images, clock=POWER_ON),
        *((stamp, 'odometry', {'stamp': stamp - T + 5 * S, 'x': x, 'received': stamp})
          for stamp, x in drive())], image_time='received')
    assert np.allclose(table.positions[:, 0], 0.6 + np.arange(N))
    assert '-1699999995.000 s from the times of the recording' in report.notes[0]


def fixes(poses, altitude=400.0):
    degrees = np.degrees(1 / 6378137.0)  # of a metre along the equator
    return [(stamp, 'fix', {'stamp': stamp, 'latitude': 0.0, 'longitude': 8 + x * degrees,
                            'altitude': altitude}) for stamp, x in poses]


def test_gps_once_a_second_is_interpolated(built, images):
    table, report = built([*camera(T, images), *fixes(drive(S))])
    assert len(table) == N
    assert np.allclose(table.positions[:, 0], np.arange(N), atol=0.01)
    assert report.without_pose == 0


def test_poses_that_are_too_rare_leave_no_map_in_the_way(
        built, images, tmp_path, tiny, capsys):
    events = [*camera(T + 100 * MS, images[:30]), *odometry(drive(4 * S))]
    with pytest.raises(MapError, match=(
            r'nothing was mapped of 30 frames: 30 frames without a pose: between two poses 4 s '
            r'apart.*--max-pose-gap\); the first: /camera/image_raw/compressed at 1700000000\.1')):
        built(events, max_pose_gap=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ['run']
    command = ['--bag', str(tmp_path / 'run'), '--map', str(tmp_path / 'm.vpr'), '--model',
               str(tiny), '--max-pose-gap']
    assert main([*command, '0.5']) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith('build_map: ')
    assert main([*command, '5']) == 0
    assert '30 new places' in capsys.readouterr().out


@pytest.mark.parametrize('workers', [1, 2])
def test_a_bag_of_which_nothing_is_mapped_does_not_block_the_others(
        images, tmp_path, tiny, workers):
    write_recording(tmp_path / 'run', [*camera(T, images), *odometry(drive())])
    write_recording(tmp_path / 'rare', [
        *camera(T + 100 * MS, images[:30]), *odometry(drive(4 * S))])
    options = functools.partial(BuildOptions, tmp_path / 'm.vpr', model=tiny)
    report = build_map(options((tmp_path / 'run', tmp_path / 'rare'), max_pose_gap=0.5,
                               workers=workers), progress=False)
    assert (report.failed, report.total_places) == (True, N)
    assert 'rare:/camera/image_raw/compressed: nothing was mapped' in report.empty[0]
    assert report.empty[0] in report.summary(tmp_path / 'm.vpr')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['m.vpr', 'rare', 'run']
    report = build_map(options((tmp_path / 'rare',), max_pose_gap=5.0, append=True),
                       progress=False)
    assert (report.places, report.total_places, report.failed) == (30, N + 30, False)


def test_a_build_that_fails_before_its_first_place_leaves_nothing(built, images, tmp_path):
    with pytest.raises(MapError, match='field of view'):
        built([*camera(T, images), *odometry(drive())], horizontal_fov=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ['run']


def test_frames_between_which_nothing_moves_are_refused(built, images):
    with pytest.raises(BagError, match='all static'):
        built([*camera(T, images), *transforms('map', 'base_link', drive()),
               *transforms('base_link', 'camera', [(T, 0.1)], topic='/tf_static')],
              tf_frames=('base_link', 'camera'))


LOST = {
    'a null pose': {'x': 0.0, 'turn': (0.0, 0.0, 0.0, 0.0), 'variance': 9999.0},
    'not a number': {'x': float('nan')},
    'infinite': {'x': float('inf')},
    'identity of no certainty': {'x': 0.0, 'variance': 9999.0},
    'the last pose of no certainty': {'x': 10.0, 'variance': 9999.0},
    'angles for a quaternion': {'x': 12.0, 'turn': (4.0, 0.0, 0.0, 0.0)},
}


@pytest.mark.parametrize('lost', LOST.values(), ids=LOST)
def test_odometry_that_is_lost_for_a_while_spoils_nothing_else(built, images, lost):
    events = []
    for stamp, x in drive():
        gone = T + 1500 * MS <= stamp <= T + 1600 * MS
        events.append((stamp, 'odometry', {'stamp': stamp, 'x': x, **(lost if gone else {})}))
    table, report = built([*camera(T, images), *events])
    right(table)
    assert '/odom: 6 of 201 poses are left out' in report.notes[0]
    assert 'the first at stamp 1700000001500000000 ns' in report.notes[0]
    assert not report.failed


@pytest.mark.parametrize('source', ['odometry', 'transforms', 'GPS'])
@pytest.mark.parametrize('begin', [0, 1500 * MS])
def test_poses_that_leap_away_and_back_spoil_nothing_else(built, images, source, begin):
    poses = [(stamp, x + 5000.0 if begin <= stamp - T < begin + 100 * MS else x)
             for stamp, x in drive()]
    events = {'odometry': odometry(poses), 'GPS': fixes(poses),
              'transforms': transforms('map', 'base_link', poses)}[source]
    table, report = built([*camera(T, images), *events], **(TF if source == 'transforms' else {}))
    first = 1 if begin == 0 else 0
    right(table, N - first, first, -1.0 if source == 'GPS' and first else 0.0, within=0.1)
    assert '5 of 201 poses are left out, they leap away and back' in report.notes[0]


def test_an_odometry_that_was_reset_is_noted(built, images):
    poses = [(stamp, x if stamp < T + 2 * S else x - 20.0) for stamp, x in drive()]
    _, report = built([*camera(T, images), *odometry(poses)])
    assert ('its poses leap 1 times for good, the first at stamp 1700000002000000000 ns'
            in report.notes[0])


def test_a_driver_that_never_knows_its_covariance_is_believed(built, images):
    table, report = built([*camera(T, images), *odometry(drive(), variance=9999.0)])
    right(table)
    assert report.notes == []


BAD_FIXES = {'zero': (0.0, 0.0), 'not a number': (float('nan'), float('nan')),
             'off the Earth': (5e9, 8.0)}


@pytest.mark.parametrize('latitude, longitude', BAD_FIXES.values(), ids=BAD_FIXES)
def test_invalid_first_fixes_are_no_origin(built, images, tmp_path, latitude, longitude):
    table, report = built([
        *camera(T, images),
        *((T + i * MS, 'fix', {'stamp': T + i * MS, 'latitude': latitude, 'longitude': longitude})
          for i in range(3)), *fixes(drive(200 * MS)[1:])])
    assert '/fix: 3 of 23 GPS fixes are left out' in report.notes[0]
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert opened.meta()['geodetic_origin'][2] == 400.0
    assert len(table) == N - 2  # before the first fix nothing is known
    assert np.allclose(table.positions[:, 0], np.arange(N - 2), atol=0.01)


def test_altitudes_that_are_not_given_are_those_beside_them(built, images):
    events = [*fixes(drive(200 * MS), float('nan')), *fixes(drive(S)[2:])]
    table, _ = built([*camera(T, images), *sorted(events, key=lambda event: event[0])])
    assert np.allclose(table.positions[:, 2], 0, atol=0.01)


def test_transforms_that_are_none_spoil_nothing_else(built, images):
    table, report = built([
        *camera(T, images), *transforms('map', 'base_link', drive()),
        *((T + i * STEP + MS, 'transform', {
            'stamp': T + i * STEP + MS, 'parent': 'map', 'child': 'base_link', 'x': 0.0,
            'turn': (0.0,) * 4}) for i in range(5))], **TF)
    right(table)
    assert 'map → base_link are left out, the first of a zero quaternion' in report.notes[0]


def test_motion_capture(built, images):
    table, _ = built([*camera(T, images), *(
        (stamp, 'motion_capture', {'stamp': stamp, 'x': x}) for stamp, x in drive())])
    right(table)


@pytest.mark.parametrize('window', [None, 60])
def test_a_path_is_read_when_it_is_named(built, images, window):
    whole = drive(50 * MS)
    paths = [(stamp, 'path', {'received': stamp, 'poses': whole[:i + 1][-(window or 0):]})
             for i, (stamp, _) in enumerate(whole)]
    table, _ = built([*camera(T, images), *paths], pose_topic='/trajectory')
    right(table)


def test_what_holds_no_trajectory_is_refused_by_name(built, images, tmp_path, tiny):
    plan = {'received': T, 'poses': [(T, x) for _, x in drive()]}
    with pytest.raises(BagError, match='no pose topic .*it has: .*trajectories may be: /plan'):
        built([*camera(T, images), (T, 'path', {**plan, 'topic': '/plan'}),
               (T, 'path', {**plan, 'topic': '/particles',
                            'kind': 'geometry_msgs/msg/PoseArray'})])
    for topic, says in (('/particles', "'/particles', it is of type geometry_msgs/msg/PoseArray"),
                        ('/plan', 'it is a plan')):
        with pytest.raises(BagError, match=says):
            build_map(BuildOptions(tmp_path / 'm.vpr', (tmp_path / 'run',), model=tiny,
                                   pose_topic=topic), progress=False)
    assert not (tmp_path / 'm.vpr').exists()


def test_drives_of_which_each_begins_its_own_odometry_are_told(tmp_path, images, tiny):
    for name, start in (('monday', T), ('tuesday', T + 900 * S)):
        write_recording(tmp_path / name, [
            *camera(start, images), *[(at + start - T, 'odometry', {
                'stamp': at + start - T, 'x': x}) for at, x in drive()],
            *transforms('map', 'base_link', [(at + start - T, x) for at, x in drive()])])
    bags = tmp_path / 'monday', tmp_path / 'tuesday'
    told = "tuesday: the poses are in frame 'odom', which begins anew .* --tf-frames map base_link"
    options = BuildOptions(tmp_path / 'm.vpr', bags, model=tiny)
    assert re.search(told, *build_map(options, progress=False).notes)
    one, two = (replace(options, output=tmp_path / 'n.vpr', bags=(bag,)) for bag in bags)
    assert build_map(one, progress=False).notes == []
    assert re.search(told, *build_map(replace(two, append=True), progress=False).notes)
    of_map = replace(options, output=tmp_path / 'o.vpr', **TF)
    assert build_map(of_map, progress=False).notes == []


@pytest.mark.parametrize('period', [20 * MS, MS])
def test_poses_of_a_camera_s_own_axes_are_told(built, images, period):
    ahead = (0.5, 0.5, 0.5, 0.5)  # z of the pose looks along x of the map
    _, report = built([*camera(T, images), *odometry(drive(period), turn=ahead)])
    assert 'the poses move along their z' in report.notes[0]
    assert '--tf-frames' in report.notes[0]
