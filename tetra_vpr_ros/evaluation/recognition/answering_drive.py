# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a map and a bag to answers."""

from __future__ import annotations

from pathlib import Path
import time

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.answering import collected
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS
from tetra_vpr_ros.evaluation.recognition.positions import within
from tetra_vpr_ros.localization import Estimate, LocalizerOptions, make_localizer, View
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.mapping import BagSource, PlaceMap
from tetra_vpr_ros.vision import ImageError, PlaceEncoder
from tqdm import tqdm

_MOST_APART_NS = 500_000_000


def look_on_map(map_file: Path, reranking: str | None) -> int:
    """
    Return at how many candidates a localizer looks again on a map.

    :param map_file: the map.
    :param reranking: ``tokens`` or ``none``; None is tokens where the map has them.
    :raises MapError: the map cannot be used.
    :raises DatasetError: tokens are asked for, and the map has none.
    """
    with PlaceMap.open_file(map_file) as place_map:
        has_tokens = place_map.has_tokens()
    if reranking == 'tokens' and not has_tokens:
        raise DatasetError(f"{map_file} has no patch tokens: encode it again with 'vpr_map "
                           "reencode' and a model that has them, or leave --rerank tokens out")
    return SECOND_LOOK if has_tokens and reranking != 'none' else 0


def answer_bag(map_file: Path, bag: Path, filter_name: str, model: Path | None,
               image_topic: str | None, pose_topic: str | None, radius: float,
               second_look: int = 0
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
    :param second_look: how many candidates are compared by their patch tokens, see
        `look_on_map`.
    :returns: answers, truth, true positions ``[frames, 3]`` and the estimates.
    :raises BagError: the bag cannot be used.
    :raises MapError: the map cannot be used.
    :raises ModelError: the model cannot be used.
    :raises DatasetError: no frame has a pose.
    """
    encoder = PlaceEncoder(model, threads=0)
    with PlaceMap.open_file(map_file) as place_map, BagSource(bag) as source:
        place_map.require_model(encoder.info)
        localizer = make_localizer(place_map, LocalizerOptions(
            filter_name, candidates=max(RANKS), second_look=second_look))
        stored = place_map.meta().get('geodetic_origin')
        track = source.pose_track(source.find_pose_topic(pose_topic),
                                  tuple(stored) if stored else None)
        topic = source.find_image_topic(image_topic)
        estimates, positions, seconds = [], [], []
        for frame in tqdm(source.images(topic), total=source.message_count(topic),
                          desc=f'{bag.name}/{filter_name}', unit='frame', leave=False):
            pose = track.at(frame.stamp_ns, _MOST_APART_NS)
            if pose is None:
                continue
            began = time.perf_counter()
            try:
                (descriptor, tokens), = encoder.encode_with_tokens([frame.decode()],
                                                                   second_look > 0)
            except ImageError:
                continue
            estimates.append(localizer.locate([View(descriptor, tokens=tokens)],
                                              frame.stamp_ns))
            seconds.append(time.perf_counter() - began)
            positions.append(pose.position)
    if not estimates:
        raise DatasetError(f'{bag}: no frame has a pose')
    true_at = np.array(positions)
    truth = within(localizer.table.positions, true_at, radius)
    size = encoder.bits // 8 + (int(np.prod(encoder.info.token_shape)) if second_look else 0)
    return (collected(estimates, np.array(seconds), localizer, filter_name, size),
            truth, true_at, estimates)
