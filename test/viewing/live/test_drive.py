# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorded drive on the live view, without ROS."""

from contextlib import closing
from dataclasses import replace
import math

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.localization import Candidate, Estimate
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.mapping import BagError, MapError, PlaceMap, Pose
from tetra_vpr_ros.viewing.live import drive as module
from tetra_vpr_ros.viewing.live.drive import Drive, DriveOptions, Pace
from tetra_vpr_ros.viewing.live.moment import heading, moment_of
from tetra_vpr_ros.viewing.live.state import LiveState
from tetra_vpr_ros.vision import ImageError, PlaceEncoder

SECOND = 10**9


def follow(options, state=None):
    state = state or LiveState()
    with closing(Drive(options)) as drive:
        return drive.follow(state), state


def test_a_drive_is_localized_and_shown(wall_bag, wall_map, wall):
    done, state = follow(DriveOptions(wall_bag, wall_map, rate=0))
    told = state.snapshot()
    assert done == told['frames'] == len(wall)
    assert told['state'] == 'localized'
    assert told['progress'] == (len(wall), len(wall))
    assert told['pose'][0] == pytest.approx(wall[-1][1].x, abs=1.0)
    assert told['pose'][2] == pytest.approx(0.0, abs=0.2)
    x, y, share = told['belief'][0]
    assert (x, y) == pytest.approx((told['pose'][0], 0.0), abs=1.5)
    assert 0.1 < share <= 1.0
    assert sum(row[2] for row in told['belief']) < 1.001
    assert told['ellipse'][0] > 0 < told['ellipse'][2]
    assert told['latency_ms'] > 0
    assert 'ended' in told.get('source', '')
    assert len(told['past']) == len(wall)
    assert state.plan()['places'] > 10
    picture = cv2.imdecode(np.frombuffer(state.picture(), np.uint8), 1)
    assert picture.shape[0] == 264


def test_a_filter_without_a_belief_shows_none(wall_bag, wall_map):
    _, state = follow(DriveOptions(wall_bag, wall_map, filter_name='single', rate=0))
    told = state.snapshot()
    assert told['belief'] == []
    assert told['candidates']


def test_frames_that_cannot_be_decoded_are_told_and_left_out(
        wall_bag, wall_map, wall, monkeypatch):
    decode, calls = module.ImageMessage.decode, []

    def sometimes(message):
        calls.append(message)
        if len(calls) in (3, 4):
            raise ImageError('torn')
        return decode(message)

    monkeypatch.setattr(module.ImageMessage, 'decode', sometimes)
    done, state = follow(DriveOptions(wall_bag, wall_map, rate=0))
    assert done == len(wall) - 2
    assert state.snapshot()['source'].endswith('2 frames cannot be decoded')


def test_places_whose_pictures_are_damaged_are_localized_all_the_same(
        wall_bag, wall_map, wall, monkeypatch):
    monkeypatch.setattr(PlaceMap, 'thumbnail', lambda place_map, place: b'torn')
    done, state = follow(DriveOptions(wall_bag, wall_map, rate=0))
    told = state.snapshot()
    assert done == told['frames'] == len(wall)
    assert told['source'].endswith(f'ended; {len(wall)} pictures of places cannot be shown')
    assert 'cannot be shown: ' in told['detail']


def test_a_bag_that_is_damaged_in_its_middle_is_shown_up_to_there(
        wall_bag, wall_map, monkeypatch):
    images = module.BagSource.images

    def damaged(bag, topic):
        for number, message in enumerate(images(bag, topic)):
            if number == 4:
                raise BagError(f'{bag.path} is damaged')
            yield message

    monkeypatch.setattr(module.BagSource, 'images', damaged)
    done, state = follow(DriveOptions(wall_bag, wall_map, rate=0))
    assert done == 4
    assert state.snapshot()['source'].endswith(f'the drive has ended; {wall_bag} is damaged')


def test_what_cannot_be_driven_is_named(wall_bag, wall_map, tmp_path):
    options = DriveOptions(wall_bag, wall_map, rate=0)
    with pytest.raises(MapError, match='nowhere.vpr'):
        Drive(replace(options, map_file=tmp_path / 'nowhere.vpr'))
    with pytest.raises(BagError, match='/other'):
        Drive(replace(options, image_topic='/other'))
    with pytest.raises(BagError, match='no_bag'):
        Drive(replace(options, bag=tmp_path / 'no_bag'))
    empty = tmp_path / 'empty.vpr'
    PlaceMap.create(empty, PlaceEncoder().info).close()
    with pytest.raises(MapError, match='no place'):
        Drive(replace(options, map_file=empty))


def paced(rate, stamps, work=0.0):
    """Return how long frames with these stamps were held back, where each takes its time."""
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(rate, lambda: now[0], sleep)
    for stamp in stamps:
        before = len(slept)
        pace.wait(int(stamp * SECOND))
        if len(slept) == before:
            slept.append(0.0)
        now[0] += work
    return slept


def test_frames_come_at_the_pace_of_their_stamps():
    assert paced(1.0, [0, 0.1, 0.3]) == [0, 0.1, 0.2]
    assert paced(2.0, [0, 0.1, 0.3]) == [0, 0.05, 0.1]
    assert paced(0.0, [0, 0.1, 0.3]) == [0, 0, 0]
    assert paced(1.0, [0, 0.1, 0.2], work=0.04) == [0, 0.06, 0.06]


def test_neither_a_pause_nor_a_clock_set_back_nor_slow_work_stops_the_view():
    assert paced(1.0, [0, 3600, 3600.1]) == [0, 2.0, 0.1]
    assert paced(1.0, [0, -50, -49.9]) == [0, 0, 0.1]
    assert paced(1.0, [0, 0.1, 0.2, 0.3], work=0.5) == [0, 0, 0, 0]


def test_doubt_has_words_and_no_pose(wall_map):
    with PlaceMap.open_file(wall_map) as place_map:
        table = place_map.places()
    pose = Pose(np.array([1.0, 2.0, 0.0]), np.array([0, 0, math.sqrt(.5), math.sqrt(.5)]))
    assert heading(pose) == pytest.approx(math.pi / 2)
    estimate = Estimate(3, pose, np.eye(6), 100, 0.4, 'ambiguous: places 3 and 9',
                        (Candidate(3, 100, pose),))
    moment = moment_of(estimate, None, table)
    assert (moment['state'], moment['detail']) == ('searching', 'ambiguous: places 3 and 9')
    assert moment['pose'] is None
    assert moment['score'] is None
    assert moment['candidates'] == [(1.0, 2.0)]
    unknown = moment_of(replace(estimate, unknown=True), Believed(
        np.full(len(table), 1e-5, np.float32), 0.99), table)
    assert (unknown['state'], unknown['belief']) == ('unknown place', [])
    nowhere = moment_of(replace(estimate, pose=None, rejection=''), None, table)
    assert nowhere['pose'] is None
