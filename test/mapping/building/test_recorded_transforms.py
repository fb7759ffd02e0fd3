# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Transforms as localizers and odometry send them become a right map."""


import numpy as np
import pytest
from recorded import drive, MS, N, right, T, TF
from street import camera, S, transforms
from tetra_vpr_ros.mapping import BagError


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


@pytest.mark.parametrize('frames, told', [(('map', 'base_link'), 0), (('base_link', 'map'), 1)])
def test_frames_the_wrong_way_round_are_told(built, images, frames, told):
    _, report = built([
        *camera(T, images), *transforms('map', 'odom', [(T, 0.0)], 0),
        *transforms('odom', 'base_link', drive())], tf_frames=frames)
    assert sum('--tf-frames map base_link' in note for note in report.notes) == told


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


def test_frames_between_which_nothing_moves_are_refused(built, images):
    with pytest.raises(BagError, match='all static'):
        built([*camera(T, images), *transforms('map', 'base_link', drive()),
               *transforms('base_link', 'camera', [(T, 0.1)], topic='/tf_static')],
              tf_frames=('base_link', 'camera'))
