# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math
import time

import numpy as np
import pytest
from sample_data import noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.localization import BayesLocalizer, MotionModel, View
from tetra_vpr_ros.mapping.map.place_map import MapError, PlaceMap
from worlds import at, BITS, line, make_map, SECOND


@pytest.fixture
def localizer(tmp_path, way):
    with make_map(tmp_path / 'm.vpr', [line(way)]) as opened:
        return BayesLocalizer(opened)


def drive(localizer, rng, descriptors, begin=0, odometry=None, share=0.1):
    """Show one noisy view each second."""
    return [localizer.locate([View(noisy(rng, row, share))], (begin + i) * SECOND,
                             odometry[i] if odometry else None)
            for i, row in enumerate(descriptors)]


@pytest.mark.parametrize('with_odometry', [False, True])
def test_a_drive_is_followed(localizer, way, rng, with_odometry):
    odometry = [at(100.0 + i, 50.0) for i in range(60)] if with_odometry else None
    estimates = drive(localizer, rng, way[40:100], odometry=odometry)
    errors = [abs(e.pose.position[0] - 40 - i) for i, e in enumerate(estimates)]
    assert np.mean([e.accepted for e in estimates]) > 0.9
    assert max(errors[3:]) < 2.0
    for estimate in estimates:
        assert np.array_equal(estimate.covariance, estimate.covariance.T)
        assert np.linalg.eigvalsh(estimate.covariance).min() > 0
        assert 0 <= estimate.confidence <= 1
        assert estimate.place_id == estimate.candidates[0].place_id
        assert len(estimate.candidates) == 10


def test_odometry_between_two_places_moves_the_pose(localizer, way, rng):
    drive(localizer, rng, way[40:45], odometry=[at(float(i)) for i in range(5)])
    before = localizer.locate([View(way[44])], 5 * SECOND, at(4.0)).pose.position[0]
    after = localizer.locate([View(way[44])], 6 * SECOND, at(4.3)).pose.position[0]
    assert after - before == pytest.approx(0.3, abs=0.1)


def test_one_frame_is_enough_when_it_is_like_no_other_place(localizer, way, rng):
    taken = []
    for place in range(10, 190, 20):
        localizer.reset()
        estimate = localizer.locate([View(noisy(rng, way[place], 0.03))], 0)
        taken.append(estimate.accepted)
        assert abs(estimate.place_id - 1 - place) <= 2
    assert np.mean(taken) > 0.5


def test_two_places_that_look_alike_are_ambiguous_until_the_way_tells_them_apart(
        tmp_path, way, rng):
    twins = way.copy()
    twins[20:40] = [noisy(rng, row, 0.02) for row in way[20:40]]
    twins[120:140] = [noisy(rng, row, 0.02) for row in way[20:40]]
    with make_map(tmp_path / 'twins.vpr', [line(twins)]) as opened:
        localizer = BayesLocalizer(opened)
    estimates = drive(localizer, rng, way[20:60])
    assert not any(e.accepted for e in estimates[:18])
    assert sum('ambiguous' in e.rejection for e in estimates[:18]) > 8
    assert '100 m apart' in next(e.rejection for e in estimates if 'ambig' in e.rejection)
    assert all(e.accepted for e in estimates[26:])
    assert abs(estimates[-1].pose.position[0] - 59) < 2

    localizer.reset()  # somebody knows roughly where the robot is
    localizer.set_prior(at(125.0), np.diag([9.0, 9.0, 0, 0, 0, 0.2]))
    told = drive(localizer, rng, way[25:30])
    assert all(e.accepted for e in told[1:])
    assert abs(told[-1].pose.position[0] - 129) < 2


def test_a_pose_to_start_from(localizer):
    localizer.set_prior(at(50.0), np.zeros((6, 6)))  # as careless publishers send it
    assert 0.45 < localizer.belief.places[48:53].sum() < 0.5
    localizer.set_prior(at(50.0), np.diag([400.0, 400.0, 0, 0, 0, 0]))
    assert 0.25 < localizer.belief.places[30:71].sum() < 0.5
    localizer.set_prior(at(50.0, 300.0), np.diag([4.0, 4.0, 0, 0, 0, 0.1]))
    assert localizer.belief.off_map == pytest.approx(0.5)  # 300 m beside the map


@pytest.mark.parametrize('covariance, places', [
    (np.full((6, 6), 1e20), 150), (np.full((6, 6), np.finfo(float).max), 150),
    (np.diag([-1.0, 0, 0, 0, 0, 0]), 5), (-np.eye(6), 5), (np.diag([0.25, 0.0]), 5),
    (np.array([[0.25, 0.34], [0.34, 0.25]]), 7)], ids=[
        'singular', 'overflow', 'a negative variance', 'all negative', 'x only', 'no covariance'])
def test_a_covariance_that_is_none_kills_nobody_and_misleads_nobody(
        localizer, covariance, places):
    told = np.zeros((6, 6))
    told[:len(covariance), :len(covariance)] = covariance
    localizer.set_prior(at(50.0), told)
    belief = np.asarray(localizer.belief.places, float)
    assert np.isfinite(belief).all()
    assert belief[50] == belief.max()
    some = slice(max(0, 50 - places // 2), 50 + places // 2 + 1)
    assert belief[some].sum() > 0.45
    assert belief[some].sum() < 0.95


@pytest.mark.parametrize('rate', [0.001, 0.01, 0.1])
def test_what_somebody_told_is_no_match_before_a_frame_says_so(localizer, way, rng, rate):
    localizer.false_match_rate = rate
    for place in range(10, 150, 20):
        localizer.set_prior(at(float(place)), np.zeros((6, 6)))
        # Half of the bits differ from those of any place: such a frame says nothing.
        estimate = drive(localizer, rng, way[[place]], share=0.5)[0]
        assert not estimate.accepted
        localizer.set_prior(at(float(place)), np.zeros((6, 6)))
        assert drive(localizer, rng, way[[place]], share=0.03)[0].accepted


@pytest.mark.parametrize('told', [at(150.0), at(60.0, 300.0)], ids=['far', 'beside the map'])
def test_who_stands_elsewhere_than_was_told_is_found(localizer, way, rng, told):
    alone = drive(localizer, rng, way[[60] * 20], share=0.03)
    localizer.set_prior(told, np.diag([0.25, 0.25, 0, 0, 0, 0.07]))
    after = drive(localizer, rng, way[[60] * 20], share=0.03)
    for estimates in (alone, after):
        assert all(np.isfinite(e.pose.position).all() for e in estimates)
        assert abs(estimates[-1].pose.position[0] - 60) < 2
    assert any(e.accepted for e in alone)


def test_a_place_that_is_not_on_the_map_is_unknown(localizer, way, rng):
    strange = walk_descriptors(rng, 300, BITS, 0.06)
    estimates = drive(localizer, rng, strange)
    assert not any(e.accepted for e in estimates)
    assert np.mean([e.unknown for e in estimates[20:]]) > 0.8
    assert any('off the map' in e.rejection for e in estimates)
    back = drive(localizer, rng, way[100:130], begin=300)
    assert back[-1].accepted
    assert not back[-1].unknown


def test_a_kidnapped_robot_is_found_again(localizer, way, rng):
    drive(localizer, rng, way[20:40])
    found = drive(localizer, rng, way[150:170], begin=20)
    first = next(i for i, e in enumerate(found) if e.accepted)
    assert first <= 10
    assert all(abs(e.pose.position[0] - 150 - i) < 3 for i, e in enumerate(found) if e.accepted)


def test_a_robot_that_stands_still_stays_where_it_is(localizer, way, rng):
    drive(localizer, rng, way[20:40])
    views = [noisy(rng, way[39], 0.005) for _ in range(100)]
    estimates = [localizer.locate([View(view)], (20 + i) * SECOND)
                 for i, view in enumerate(views)]
    # It was at full speed, and what does not change tells only slowly that it stopped.
    assert np.mean([e.accepted for e in estimates[:20]]) > 0.8
    assert all(e.accepted for e in estimates[20:])
    assert all(abs(e.pose.position[0] - 39) < 4 for e in estimates)
    assert all(abs(e.pose.position[0] - 39) < 2 for e in estimates[-20:])


@pytest.mark.parametrize('share', [0.0, 0.005])
@pytest.mark.parametrize('case', ['a pause', 'odometry from 0', 'odometry far away'])
def test_a_robot_that_stands_still_is_found_again_after(localizer, way, rng, case, share):
    """It sees what it saw, which must count once more: the belief knows nothing any more."""
    positions = [at(40.0 + i) for i in range(20)]
    before = drive(localizer, rng, way[40:60], odometry=positions)
    assert before[-1].accepted
    pause = 100 if case == 'a pause' else 1
    now = {'a pause': positions[-1], 'odometry from 0': at(0.0),
           'odometry far away': at(500.0)}[case]
    after = [localizer.locate([View(noisy(rng, way[59], share))], (19 + pause + i) * SECOND, now)
             for i in range(30)]
    accepted = [e for e in after if e.accepted]
    assert len(accepted) > 20
    assert all(abs(e.pose.position[0] - 59) < 2.5 for e in accepted)


def test_the_same_picture_in_rare_frames_says_no_more_than_once(localizer, way):
    """After each gap nothing is known: not of the place, and not of being off the map either."""
    for view in (way[77], ~way[77]):
        localizer.reset()
        first, *later = [localizer.locate([View(view)], i * 60 * SECOND) for i in range(12)]
        assert all(abs(e.confidence - first.confidence) < 0.02 for e in later)
        assert all(e.unknown == first.unknown for e in later)


def test_odometry_that_comes_for_some_frames_only_leads_nowhere_else(localizer, way, rng):
    """Between a frame with it and one without the robot moved, too."""
    odometry = [at(2.0 * i) if i % 2 else None for i in range(40)]
    estimates = drive(localizer, rng, way[20:100:2], odometry=odometry)
    errors = [abs(e.pose.position[0] - 20 - 2 * i) for i, e in enumerate(estimates)
              if e.accepted]
    assert len(errors) > 30
    assert max(errors) < 3.5


def test_the_same_picture_over_and_over_is_no_new_evidence(localizer, way):
    view = [View(way[77])]
    first = localizer.locate(view, 0).confidence
    later = [localizer.locate(view, (1 + i) * SECOND // 10).confidence for i in range(100)]
    assert max(later) <= first + 0.01


def test_a_smaller_false_match_rate_asks_for_more(localizer, way, rng):
    localizer.false_match_rate = 0.01
    assert localizer.required_belief == pytest.approx(0.9)
    loose = sum(e.accepted for e in drive(localizer, rng, way[:60], share=0.3))
    localizer.reset()
    localizer.false_match_rate = 1e-9
    strict = sum(e.accepted for e in drive(localizer, rng, way[:60], share=0.3))
    assert strict < loose
    assert 'are needed' in localizer.locate([View(way[100])], 70 * SECOND).rejection


def test_a_camera_that_looks_back_tells_the_place_too(tmp_path, rng):
    """The map was driven both ways; a robot with eyes in front and behind sees both."""
    there, back = walk_descriptors(rng, 80, BITS, 0.06), walk_descriptors(rng, 80, BITS, 0.06)
    sessions = [line(there), [(at(79.0 - i, 0.0, 180), row) for i, row in enumerate(back)]]
    with make_map(tmp_path / 'm.vpr', sessions) as opened:
        both = BayesLocalizer(opened, camera_yaws=(0.0, np.pi))
        one = BayesLocalizer(opened)
    ahead = [View(noisy(rng, row, 0.15)) for row in there]
    behind = [View(noisy(rng, row, 0.15), camera=1) for row in back[::-1]]
    for i in range(20, 30):
        fused = both.locate([ahead[i], behind[i]], i * SECOND)
        single = one.locate([ahead[i]], i * SECOND)
    assert fused.accepted
    assert fused.confidence >= single.confidence - 1e-6
    assert abs(fused.pose.position[0] - 29) < 2
    assert fused.pose.angle_to(at(0)) < 0.3

    both.reset()  # in reverse: only the rear camera sees what the first traverse saw
    for i in range(20, 30):
        estimate = both.locate([View(noisy(rng, there[i], 0.1), camera=1)], i * SECOND)
    assert abs(estimate.pose.position[0] - 29) < 2
    assert estimate.pose.angle_to(at(0, 0, 180)) < 0.3


def test_poses_of_a_geo_tagged_map_have_coordinates(tmp_path, way, rng):
    rows = [(at(float(i), geodetic=(47.0 + i * 1e-5, 8.0, 400.0)), row)
            for i, row in enumerate(way)]
    with make_map(tmp_path / 'geo.vpr', [rows]) as opened:
        localizer = BayesLocalizer(opened)
    estimate = drive(localizer, rng, way[50:60])[-1]
    assert estimate.pose.geodetic[0] == pytest.approx(47.0 + 59e-5, abs=1.5e-5)
    assert estimate.pose.geodetic[1:] == pytest.approx((8.0, 400.0))


def test_coordinates_follow_motion_that_is_too_short_for_the_belief(tmp_path, way, rng):
    """Of a map along the equator, where a degree is 111.2 km: to the east, then back to north."""
    rows = [(at(float(i), geodetic=(0.0, math.degrees(i / 6.371e6), 5.0)), row)
            for i, row in enumerate(way)]
    with make_map(tmp_path / 'geo.vpr', [rows]) as opened:
        localizer = BayesLocalizer(opened)
    for step in range(60):
        x = 40.0 + 0.2 * step
        view = View(noisy(rng, way[round(x)], 0.03))
        estimate = localizer.locate([view], step * SECOND, at(x, 0.1 * (step % 3)))
        north, east, up = estimate.pose.geodetic
        assert math.radians(east) * 6.371e6 == pytest.approx(estimate.pose.position[0], abs=1e-6)
        assert math.radians(north) * 6.371e6 == pytest.approx(estimate.pose.position[1], abs=1e-6)
        assert up == pytest.approx(5.0)


def test_coordinates_beside_the_180th_meridian(tmp_path, way, rng):
    rows = [(at(float(i), geodetic=(0.0, (360.0 + i * 1e-5) % 360.0 - 180.0, 0.0)), row)
            for i, row in enumerate(way, -55)]
    with make_map(tmp_path / 'geo.vpr', [rows]) as opened:
        localizer = BayesLocalizer(opened)
    for first, east in ((40, -180.0 - 6e-5 + 360.0), (53, -180.0 + 7e-5)):
        localizer.reset()
        estimate = drive(localizer, rng, way[first:first + 10])[-1]
        assert estimate.pose.geodetic[1] == pytest.approx(east, abs=3e-5)


def test_maps_without_places_or_calibration(tmp_path, way):
    with make_map(tmp_path / 'empty.vpr', [], calibrated=False) as opened:
        empty = BayesLocalizer(opened)
    empty.set_prior(at(0.0), np.eye(6))
    assert empty.locate([View(way[0])], 0).rejection == 'the map is empty'
    with make_map(tmp_path / 'raw.vpr', [line(way)], calibrated=False) as opened:
        raw = BayesLocalizer(opened)
    estimate = raw.locate([View(way[30])], 0)
    assert 'not calibrated' in estimate.rejection
    assert (estimate.place_id, estimate.distance, estimate.confidence) == (31, 0, 0.0)


def test_a_map_of_an_older_version_says_how_to_mend_it(tmp_path, way):
    make_map(tmp_path / 'old.vpr', [line(way)]).close()
    with PlaceMap.open_file(tmp_path / 'old.vpr', writable=True) as opened:
        opened.set_meta(calibration={'samples': 1, 'far': 5.0})
    with PlaceMap.open_file(tmp_path / 'old.vpr') as opened, \
            pytest.raises(MapError, match='calibrate_map --map'):
        BayesLocalizer(opened)


@pytest.mark.large
def test_a_hundred_thousand_places_take_milliseconds(tmp_path, rng):
    count = 100_000
    descriptors = random_descriptors(rng, count, BITS)
    around = [at(200.0 * np.cos(i / 400), 200.0 * np.sin(i / 400) + i * 0.01)
              for i in range(count)]
    with make_map(tmp_path / 'big.vpr', [list(zip(around, descriptors))]) as opened:
        localizer = BayesLocalizer(opened, motion=MotionModel())
    for with_odometry in (False, True):
        localizer.reset()
        seconds = []
        for i in range(60):
            began = time.process_time()  # not the clock: other programs may run, too
            localizer.locate([View(noisy(rng, descriptors[5000 + i], 0.2))], i * SECOND,
                             at(0.5 * i) if with_odometry else None)
            seconds.append(time.process_time() - began)
        print(f'100 000 places of {BITS} bits, odometry {with_odometry}: '
              f'{1e3 * np.median(seconds):.1f} ms a frame, {1e3 * min(seconds):.1f} to '
              f'{1e3 * max(seconds):.1f} ms')
        # 10 ms on an idle core, see docs/localization.md. The least of many is what the work
        # itself takes: a core that is shared with other programs is slower now and then.
        assert 1e3 * min(seconds) < 40
