# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""On pictures of the simulated world, whose camera is known."""

from dataclasses import replace
import math
import time

import cv2
import numpy as np
import pytest
from sample_data import ROOT
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, verification, View
from tetra_vpr_ros.localization.mapped_places import turned
from tetra_vpr_ros.localization.verification import compare, Geometry, VerifyingLocalizer
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.map.place_map import MapError
from tetra_vpr_ros.vision.local_features import extract_features, LocalFeatures

INTRINSICS = np.array([[320.0, 0, 320], [0, 320.0, 240], [0, 0, 1]])  # 90 degrees wide


@pytest.fixture(scope='module')
def features(drive):
    return [extract_features(image) for _, _, image in drive]


def test_features_survive_the_map_and_lie_in_the_picture(features, featured_map):
    for found in (features[0], features[50]):
        assert 50 < len(found.keypoints) <= 300
        assert (found.keypoints >= 0).all()
        assert (found.keypoints < [640, 480]).all()
    restored = LocalFeatures.from_blobs(*features[0].to_blobs())
    assert np.array_equal(restored.keypoints, features[0].keypoints)
    assert np.array_equal(restored.descriptors, features[0].descriptors)
    with PlaceMap.open_file(featured_map) as opened:
        assert opened.has_features()
        assert len(opened.features(1).keypoints) > 20
        assert opened.features(99999) is None
    with pytest.raises(ValueError, match='3 keypoints'):
        LocalFeatures.from_blobs(bytes(24), bytes(64))
    empty = extract_features(np.zeros((40, 40, 3), np.uint8))
    assert len(empty.keypoints) == 0
    for shape in ((1, 1, 3), (1, 300, 3), (3000, 4, 3)):  # on some of which OpenCV fails
        assert len(extract_features(np.zeros(shape, np.uint8)).keypoints) == 0
    large = np.repeat(np.repeat(cv2.imread(str(ROOT / 'docs' / 'trajectory.png')), 2, 0), 2, 1)
    assert extract_features(large).keypoints.max() > 640  # in pixels of the whole picture


@pytest.mark.parametrize('method, intrinsics, fewest', [
    ('orb', None, 35), ('orb', INTRINSICS, 35), ('homography', None, 12)])
def test_neighbours_agree_and_far_places_do_not(features, method, intrinsics, fewest):
    near = [compare(features[i + 1], features[i], method, intrinsics).inliers
            for i in range(0, 180, 20)]
    far = [compare(features[i], features[(i + 100) % 200], method, intrinsics).inliers
           for i in range(0, 180, 20)]
    print(f'{method}: inliers of neighbours {near}, of far places {far}')
    assert np.median(near) > fewest
    assert np.mean(np.array(far) >= fewest) < 0.3
    assert np.median(near) > 2 * np.median(far)


def test_hardly_any_features_are_no_match():
    none = LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
    assert compare(none, none, 'orb').inliers == 0
    with pytest.raises(ValueError, match='orb, homography'):
        compare(none, none, 'sift')


def test_the_heading_is_measured(drive):
    from tetra_vpr_ros.simulation.level import Pose2D
    from tetra_vpr_ros.simulation.world import DoomWorld
    _, stood, image = drive[40]
    reference = extract_features(image)
    found = {}
    with DoomWorld('e1m1') as world:
        for degrees in (-8, -4, 4, 8):
            # A little to the side: without parallax no essential matrix is defined.
            turned, real = world.look(Pose2D(stood.x + 0.1, stood.y + 0.1,
                                             stood.yaw + math.radians(degrees)))
            yaw = compare(extract_features(turned), reference, 'orb', INTRINSICS).yaw
            if yaw is not None:  # enough inliers
                found[degrees] = (math.degrees(yaw), math.degrees(real.yaw - stood.yaw))
    print(found)
    assert len(found) >= 2
    # A frame of twice the size, and so of another matrix, sees the same.
    assert yaw is not None
    large = extract_features(cv2.resize(turned, (1280, 960)))
    twice = np.diag([2.0, 2.0, 1.0]) @ INTRINSICS
    assert compare(large, reference, 'orb', twice, INTRINSICS).yaw == pytest.approx(yaw, abs=0.03)
    errors = [abs((measured - real + 180) % 360 - 180) for measured, real in found.values()]
    assert np.median(errors) < 2
    assert compare(reference, reference, 'homography', INTRINSICS).yaw is None


@pytest.mark.parametrize('name', ['single', 'bayes'])
def test_candidates_are_verified(featured_map, drive, encoder, features, name):
    with PlaceMap.open_file(featured_map) as opened:
        localizer = make_localizer(opened, LocalizerOptions(name, verification='orb'))
        assert isinstance(localizer, VerifyingLocalizer)
        localizer.intrinsics = {0: INTRINSICS}
        localizer.false_match_rate = 0.01
        localizer.candidates = 5
        assert (localizer.inner.false_match_rate, localizer.inner.candidates) == (0.01, 5)
        assert (localizer.false_match_rate, localizer.candidates) == (0.01, 5)
        near, seconds, estimates = [], [], []
        for i in range(40, 100, 3):
            stamp, pose, image = drive[i]
            view = View(encoder.encode(image), features=features[i])
            began = time.perf_counter()
            estimates.append(localizer.locate([view], stamp))
            seconds.append(time.perf_counter() - began)
            near.append(np.hypot(*(estimates[-1].pose.position[:2] - [pose.x, pose.y])) < 1)
        print(f'{name}: {np.mean(near):.2f} within 1 m, '
              f'{1e3 * np.median(seconds):.0f} ms for five candidates')
        assert np.mean(near) > 0.9
        assert any(e.accepted for e in estimates)
        localizer.reset()
        for i in range(40, 100, 3):  # descriptors of these places, features of others
            estimate = localizer.locate(
                [View(encoder.encode(drive[i][2]), features=features[(i + 100) % 200])],
                drive[i][0])
            assert not estimate.accepted or name == 'bayes'
        assert 'verification' in estimate.rejection or not estimate.accepted
        localizer.set_prior(estimates[0].pose, np.eye(6))
        plain = localizer.locate([View(encoder.encode(drive[40][2]))], drive[-1][0] + 10**9)
        assert not plain.accepted  # nothing to verify with
        assert len(localizer.table) == len(opened)


def test_the_heading_is_measured_against_the_place_not_against_the_second_look(
        featured_map, drive, encoder, features, monkeypatch):
    with PlaceMap.open_file(featured_map) as opened:
        localizer = make_localizer(opened, LocalizerOptions('single', verification='orb'))
        found = localizer.inner.locate([View(encoder.encode(drive[50][2]))], 0)
        # What the second look does: it turns the place's heading by what it has seen.
        seen = tuple(replace(c, turn=0.2, pose=replace(c.pose, quaternion=turned(
            c.pose.quaternion[None], 0.2)[0])) for c in found.candidates)
        monkeypatch.setattr(localizer.inner, 'locate', lambda *_: replace(
            found, candidates=seen, pose=seen[0].pose))
        monkeypatch.setattr(verification, 'compare', lambda *_: Geometry(100, 0.15))
        estimate = localizer.locate([View(b'', features=features[50])], 0)
    place = found.candidates[0].pose.quaternion
    assert abs(estimate.pose.quaternion @ turned(place[None], 0.15)[0]) == pytest.approx(1.0)


@pytest.mark.parametrize('second_look', [0, 20])
def test_a_place_that_is_preferred_is_accepted_by_what_speaks_for_it_itself(
        featured_map, drive, encoder, features, monkeypatch, second_look):
    with PlaceMap.open_file(featured_map) as opened:
        localizer = make_localizer(opened, LocalizerOptions(
            'single', verification='orb', second_look=second_look))
        [(descriptor, tokens)] = encoder.encode_with_tokens([drive[50][2]], bool(second_look))
        views = [View(descriptor, tokens=tokens, features=features[50])]
        plain = localizer.inner.locate(views, 0)
        other = max(plain.candidates, key=lambda c: c.pose.distance_to(plain.pose))
        assert plain.accepted and other.pose.distance_to(plain.pose) > 3

        def prefer(place):
            monkeypatch.setattr(localizer, '_best_view', lambda _, candidate: Geometry(
                100 if candidate.place_id == place else 0))
            return localizer.locate(views, 0)

        same, preferred = prefer(plain.place_id), prefer(other.place_id)
    assert (same.confidence, same.rejection) == (plain.confidence, '')
    assert np.array_equal(same.covariance, plain.covariance)
    assert (preferred.place_id, preferred.distance) == (other.place_id, other.distance)
    assert preferred.candidates[0].place_id == other.place_id
    assert sorted(c.place_id for c in preferred.candidates) == sorted(
        c.place_id for c in plain.candidates)
    assert preferred.confidence < 0.9 * plain.confidence
    if second_look:
        assert f'speak for place {other.place_id}' in preferred.rejection
    else:
        assert f'{other.distance} bits are more than' in preferred.rejection


@pytest.mark.parametrize('name', ['single', 'bayes'])
def test_the_heading_is_that_of_the_camera_that_was_compared(
        featured_map, drive, encoder, features, monkeypatch, name):
    with PlaceMap.open_file(featured_map) as opened:
        localizer = make_localizer(opened, LocalizerOptions(
            name, verification='orb', camera_yaws=(0.5, -0.5), second_look=0))
        view = View(encoder.encode(drive[50][2]), 0, features=features[50])
        # The second camera tells more, and looks 0.1 to the left of the place.
        monkeypatch.setattr(verification, 'compare', lambda query, *_: Geometry(
            100 if query is features[60] else 50, 0.1))
        estimate = localizer.locate([view, replace(view, camera=1, features=features[60])], 0)
        row = int(np.searchsorted(opened.places().ids, estimate.place_id))
        place = opened.places().quaternions[row]
    assert abs(estimate.pose.quaternion @ turned(place[None], 0.1 + 0.5)[0]) == pytest.approx(1.0)


def test_a_map_without_features_says_how_to_get_them(map_file):
    with PlaceMap.open_file(map_file) as opened, \
            pytest.raises(MapError, match='build_map --features'):
        make_localizer(opened, LocalizerOptions(verification='homography'))


def test_an_unknown_filter_is_named(map_file):
    with PlaceMap.open_file(map_file) as opened, pytest.raises(ValueError, match='kalman'):
        make_localizer(opened, LocalizerOptions('kalman'))
