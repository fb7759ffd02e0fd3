# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the shipped model's second look is worth: the figures of docs/evaluation.md."""

from functools import partial

import numpy as np
import pytest
from sample_data import DATA
from scipy.stats import binomtest
from tetra_vpr_ros.evaluation.recognition.answering import answer
from tetra_vpr_ros.evaluation.recognition.dataset import images_of
from tetra_vpr_ros.evaluation.recognition.earlier import answer_earlier, earlier_frames
from tetra_vpr_ros.evaluation.recognition.ground_truth import read_truth
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import judge, right_at
from tetra_vpr_ros.evaluation.recognition.recall import frames_truth
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.vision.encoder import Encodings

BENCHMARKS = DATA / 'benchmarks'


def sides(encoder, places, queries):
    """Return what the evaluation makes of encoded pictures."""
    return Encoded('shipped', places.descriptors, queries.descriptors,
                   np.zeros(len(queries.descriptors)), places.tokens, queries.tokens,
                   encoder.info)


def gain(name, encoded, truth, ask=answer):
    """Return recall@1 of the plain ranking and of the second look, and the queries."""
    answers = [ask(encoded, second_look=count, progress=False) for count in (0, SECOND_LOOK)]
    plain, again = (judge('shipped', 'single', found, truth) for found in answers)
    before, after = (right_at(found, truth, 1) for found in answers)
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    p = binomtest(won, won + lost).pvalue if won + lost else 1.0
    added = again.latency_ms['p50'] - plain.latency_ms['p50']
    low, high = plain.ci95[1], again.ci95[1]
    print(f'{name}: n {plain.n}, recall@1 {100 * plain.recall[1]:.1f} [{100 * low[0]:.1f}, '
          f'{100 * low[1]:.1f}] -> {100 * again.recall[1]:.1f} [{100 * high[0]:.1f}, '
          f'{100 * high[1]:.1f}], {added:.1f} ms added; won {won}, lost {lost}, p {p:.3f}')
    return plain.recall[1], again.recall[1], plain.n


on_a_map = partial(answer, filter_name='single')


@pytest.mark.data
@pytest.mark.parametrize('database, queries, target', [
    ('day_left', 'day_right', 0.93), ('day_right', 'night_right', 0.93),
    ('day_left', 'night_right', 0.80)])
def test_gardens_point(encoder, benchmark_encodings, database, queries, target):
    encoded = sides(encoder, *(benchmark_encodings(f'gardens_point/{name}')
                               for name in (database, queries)))
    plain, again, n = gain(f'{database} -> {queries}', encoded, frames_truth(200, 200, 2),
                           on_a_map)
    assert n == 200
    assert again >= max(target, plain)


@pytest.mark.data
def test_the_second_indoor_lap(encoder, benchmark_encodings):
    lap = benchmark_encodings('rtabmap_lap')
    files = images_of(BENCHMARKS / 'rtabmap_lap')
    truth = read_truth(f"matrix:{BENCHMARKS / 'rtabmap_lap' / 'samples_GT.bmp'}", files[:40],
                       files[40:])
    encoded = sides(encoder, *(Encodings(lap.descriptors[part], lap.tokens[part])
                               for part in (slice(40), slice(40, None))))
    _, again, n = gain('RTAB-Map lap', encoded, truth, on_a_map)
    assert n == 44
    assert again >= 0.90


@pytest.mark.data
def test_a_robot_in_an_office(encoder, benchmark_encodings):
    encoded = sides(encoder, *(benchmark_encodings(f'linenav_pepper/{side}')
                               for side in ('ref', 'query')))
    query, ref, _, trusted = np.loadtxt(BENCHMARKS / 'linenav_pepper' / 'gt.csv', int,
                                        delimiter=',', skiprows=1, unpack=True)
    truth = np.zeros((len(encoded.queries), len(encoded.database)), bool)
    truth[query] = np.abs(ref[:, None] - np.arange(len(encoded.database))) <= 1
    truth[query[trusted == 0]] = False
    plain, again, n = gain('Pepper', encoded, truth, on_a_map)
    assert n == 262
    assert min(plain, again) >= 0.78


@pytest.mark.data
def test_a_drone_over_fields(encoder, benchmark_encodings):
    folder = BENCHMARKS / 'seneca_farm_drone'
    encoded = sides(encoder, *(benchmark_encodings(f'seneca_farm_drone/{side}')
                               for side in ('ref', 'query')))
    truth = read_truth(f"csv:{folder / 'gt.csv'}", images_of(folder / 'ref'),
                       images_of(folder / 'query'))
    plain, again, n = gain('farm', encoded, truth, on_a_map)
    assert n == 95
    # Words do not ask which side of the picture is up; the second look does.
    assert plain >= 0.74
    assert again >= 0.70


@pytest.mark.data
def test_a_drone_in_one_room_against_itself(encoder, benchmark_encodings):
    frames = benchmark_encodings('euroc_v101_mav/images')
    files = images_of(BENCHMARKS / 'euroc_v101_mav' / 'images')
    truth = read_truth(f"csv:{BENCHMARKS / 'euroc_v101_mav' / 'gt.csv'}:earlier_matches", files,
                       files)
    assert not (truth & ~earlier_frames(len(files), 7)).any()
    plain, again, n = gain('EuRoC', sides(encoder, frames, frames), truth,
                           partial(answer_earlier, recent=7))
    assert n == 37
    assert again >= max(0.72, plain)
