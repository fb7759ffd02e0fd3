# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From descriptors, or from a map and a bag, to answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import tempfile
import time

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS
from tetra_vpr_ros.evaluation.recognition.streams import map_of_frames
from tetra_vpr_ros.localization import Estimate, Localizer, LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import BagSource, PlaceMap
from tetra_vpr_ros.vision import ImageError, ModelInfo, PlaceEncoder
from tqdm import tqdm

_MOST = max(RANKS)
_BEGIN_NS = 1_700_000_000_000_000_000
_SECOND_NS = 1_000_000_000


def answer(encoded: Encoded, filter_name: str, progress: bool = True) -> Answers:
    """
    Ask for the place of each query.

    Queries are a stream in the order of their names: one place, a metre, a second.

    :param encoded: descriptors of both sides.
    :param filter_name: of the localizer.
    :param progress: show a bar.
    :raises DatasetError: the filter needs binary descriptors.
    """
    if not encoded.binary:
        if filter_name != 'single':
            raise DatasetError(f'{encoded.name} has no binary descriptors: use --filter single, '
                               f'not {filter_name}')
        return _by_cosine(encoded)
    bits = encoded.database.shape[1] * 8
    info = ModelInfo(Path(encoded.name), encoded.name, encoded.name, '0', bits, 1, 1, 'none')
    with tempfile.TemporaryDirectory() as folder, \
            map_of_frames(Path(folder) / 'places.vpr', info, encoded.database) as place_map:
        localizer = make_localizer(place_map, LocalizerOptions(filter_name, candidates=_MOST))
        found, seconds = [], []
        for i, row in enumerate(tqdm(encoded.queries, desc=f'{encoded.name}/{filter_name}',
                                     disable=not progress, leave=False)):
            began = time.perf_counter()
            found.append(localizer.locate([View(row)], _BEGIN_NS + i * _SECOND_NS))
            seconds.append(time.perf_counter() - began)
    return _collected(found, np.array(seconds) + encoded.seconds, localizer, filter_name,
                      encoded.bytes_per_place)


def _by_cosine(encoded: Encoded) -> Answers:
    began = time.perf_counter()
    alike = encoded.queries @ encoded.database.T
    ranked = np.argsort(-alike, axis=1, kind='stable')[:, :_MOST]
    each = (time.perf_counter() - began) / len(alike)
    return Answers(_padded(ranked), alike.max(axis=1).astype(float), None,
                   encoded.seconds + each, encoded.bytes_per_place)


def _padded(ranked: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.pad(ranked, ((0, 0), (0, _MOST - ranked.shape[1])), constant_values=-1)


def _collected(estimates: Sequence[Estimate], seconds: NDArray[np.float64],
               localizer: Localizer, filter_name: str, size: int) -> Answers:
    rows = np.full((len(estimates), _MOST), -1, np.int64)
    for row, estimate in zip(rows, estimates):
        ids = [candidate.place_id for candidate in estimate.candidates][:_MOST]
        row[:len(ids)] = np.searchsorted(localizer.table.ids, ids)
    single = filter_name == 'single'
    scores = [-e.distance if single else e.confidence for e in estimates]
    return Answers(rows, np.array(scores, float), np.array([e.accepted for e in estimates]),
                   seconds, size)


def answer_bag(map_file: Path, bag: Path, filter_name: str, model: Path | None,
               image_topic: str | None, pose_topic: str | None, radius: float
               ) -> tuple[Answers, NDArray[np.bool_], NDArray[np.float64], list[Estimate]]:
    """
    Localise the frames of a bag in a map, as they come.

    :param map_file: the map.
    :param bag: with images, and poses in the frame of the map.
    :param filter_name: of the localizer.
    :param model: of the map; None for the shipped one.
    :param image_topic: None finds it by type.
    :param pose_topic: None finds it by type.
    :param radius: metres within which a place is true.
    :returns: answers, truth, true positions ``[frames, 3]`` and the estimates.
    :raises BagError: the bag cannot be used.
    :raises MapError: the map cannot be used.
    :raises ModelError: the model cannot be used.
    :raises DatasetError: no frame has a pose.
    """
    encoder = PlaceEncoder(model, threads=0)
    with PlaceMap.open_file(map_file) as place_map, BagSource(bag) as source:
        place_map.require_model(encoder.info)
        localizer = make_localizer(place_map, LocalizerOptions(filter_name, candidates=_MOST))
        stored = place_map.meta().get('geodetic_origin')
        track = source.pose_track(source.find_pose_topic(pose_topic),
                                  tuple(stored) if stored else None)
        topic = source.find_image_topic(image_topic)
        estimates, positions, seconds = [], [], []
        for frame in tqdm(source.images(topic), total=source.message_count(topic),
                          desc=f'{bag.name}/{filter_name}', unit='frame', leave=False):
            pose = track.at(frame.stamp_ns, _SECOND_NS // 2)
            if pose is None:
                continue
            began = time.perf_counter()
            try:
                view = View(encoder.encode(frame.decode()))
            except ImageError:
                continue
            estimates.append(localizer.locate([view], frame.stamp_ns))
            seconds.append(time.perf_counter() - began)
            positions.append(pose.position)
    if not estimates:
        raise DatasetError(f'{bag}: no frame has a pose')
    true_at = np.array(positions)
    truth = np.linalg.norm(true_at[:, None] - localizer.table.positions[None], axis=2) <= radius
    return (_collected(estimates, np.array(seconds), localizer, filter_name, encoder.bits // 8),
            np.asarray(truth), true_at, estimates)
