# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from sample_data import random_descriptors
from tetra_vpr_ros.localization import SingleFrameLocalizer
from tetra_vpr_ros.mapping import calibrate, NewPlace, PlaceMap, Pose
from tetra_vpr_ros.vision import ModelInfo

MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none')


def flip(descriptor, count, rng):
    """Return a descriptor with some bits flipped."""
    bits = np.unpackbits(descriptor)
    bits[rng.choice(bits.size, count, replace=False)] ^= 1
    return np.packbits(bits)


def make_map(path, descriptors, calibrated=True, geodetic=None):
    with PlaceMap.create(path, MODEL) as new:
        session = new.begin_session('bag')
        new.add_places(session, [
            NewPlace(i, Pose(np.array([float(i), 0, 0]), np.array([0, 0, 0, 1.0]), geodetic), d)
            for i, d in enumerate(descriptors)])
        if calibrated:
            found = calibrate(new.places())
            new.set_meta(calibration=found.to_meta() if found else None)
    return PlaceMap.open_file(path)


@pytest.fixture
def descriptors(rng):
    return random_descriptors(rng, 200)


@pytest.fixture
def localizer(tmp_path, descriptors):
    with make_map(tmp_path / 'm.vpr', descriptors, geodetic=(47.0, 8.0, 400.0)) as opened:
        return SingleFrameLocalizer(opened, candidates=5)


def test_a_known_place_is_accepted_with_its_pose(localizer, descriptors, rng):
    estimate = localizer.match(flip(descriptors[77], 30, rng))
    assert estimate.accepted
    assert not estimate.rejection
    assert estimate.place_id == 78  # ids count from 1
    assert estimate.distance == 30
    assert np.array_equal(estimate.pose.position, [77, 0, 0])
    assert estimate.pose.geodetic == (47.0, 8.0, 400.0)
    assert len(estimate.candidates) == 5
    assert estimate.candidates[0].place_id == 78
    distances = [candidate.distance for candidate in estimate.candidates]
    assert distances == sorted(distances)


def test_an_unknown_place_is_rejected_with_the_reason(localizer, rng):
    estimates = [localizer.match(d) for d in random_descriptors(rng, 300)]
    # One in a thousand places looks that alike, and there are 200 of them.
    assert np.mean([e.accepted for e in estimates]) < 0.4
    rejected = next(e for e in estimates if not e.accepted)
    assert f'{rejected.distance} bits are more than the {localizer.threshold}' in \
        rejected.rejection
    assert rejected.pose is not None  # still a candidate


def test_confidence_falls_with_distance_and_follows_the_false_match_rate(
        localizer, descriptors, rng):
    confidences = [localizer.match(flip(descriptors[5], n, rng)).confidence
                   for n in (0, 20, 50, 80)]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.99
    assert all(0 <= c <= 1 for c in confidences)
    strict, loose = localizer.threshold, None
    localizer.false_match_rate = 0.05
    loose = localizer.threshold
    assert loose > strict
    unknown = [localizer.match(d) for d in random_descriptors(rng, 300)]
    assert np.mean([e.accepted for e in unknown]) > 0.9
    # The confidence of an unknown place's best match is spread evenly over 0..1.
    assert np.mean([e.confidence for e in unknown]) == pytest.approx(0.5, abs=0.1)


def test_rival_places_widen_the_covariance(tmp_path, descriptors, rng):
    twins = descriptors.copy()
    twins[150] = flip(twins[20], 2, rng)  # looks like place 20, 130 m away
    with make_map(tmp_path / 't.vpr', twins) as opened:
        localizer = SingleFrameLocalizer(opened, margin=0.02)
    alone = localizer.match(descriptors[77]).covariance
    torn = localizer.match(descriptors[20]).covariance
    assert alone[0, 0] == pytest.approx(1.0)  # one metre between places
    assert torn[0, 0] > 1000
    for covariance in (alone, torn):
        assert np.allclose(covariance, covariance.T)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        assert (np.diag(covariance) > 0).all()


def test_an_uncalibrated_map_accepts_nothing_and_says_why(tmp_path, descriptors):
    with make_map(tmp_path / 'u.vpr', descriptors, calibrated=False) as opened:
        localizer = SingleFrameLocalizer(opened)
    estimate = localizer.match(descriptors[3])
    assert localizer.threshold is None
    assert (estimate.place_id, estimate.distance, estimate.confidence) == (4, 0, 0.0)
    assert 'not calibrated' in estimate.rejection


def test_an_empty_map(tmp_path, descriptors):
    with make_map(tmp_path / 'e.vpr', descriptors[:0]) as opened:
        estimate = SingleFrameLocalizer(opened).match(descriptors[0])
    assert estimate.pose is None
    assert estimate.rejection == 'the map is empty'


def test_a_second_look_at_the_driven_places(map_file, drive, encoder, rng):
    """Other exposure, noise and blur, half-way between the keyframes."""
    from tetra_vpr_ros.simulation.camera import CameraEffects
    effects = CameraEffects(exposure=0.8, gamma=1.1, blur=0.8, noise=0.02)
    with PlaceMap.open_file(map_file) as opened:
        localizer = SingleFrameLocalizer(opened)
    near = []
    for _, pose, image in drive[::5]:
        estimate = localizer.match(encoder.encode(effects.apply(image, rng)))
        near.append(np.hypot(*(estimate.pose.position[:2] - [pose.x, pose.y])) < 1.0)
    assert np.mean(near) > 0.9
