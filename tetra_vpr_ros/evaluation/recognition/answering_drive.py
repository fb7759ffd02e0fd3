# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a map and a bag to answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import time
from typing import cast

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.answering import collected
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS
from tetra_vpr_ros.evaluation.recognition.positions import within
from tetra_vpr_ros.localization import Estimate, LocalizerOptions
from tetra_vpr_ros.localization.picture_localizer import PictureLocalizer
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.mapping import BuildReport, MapError, PlaceMap
from tetra_vpr_ros.mapping.building.build import no_gps_frame, not_of_gps
from tetra_vpr_ros.mapping.map.place_map import model_of_map
from tetra_vpr_ros.mapping.sources.bag_traverse import BagTraverse, read_bag, Topics
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.viewing.frame.pictures import Keepsakes
from tetra_vpr_ros.vision import ImageError, PlaceEncoder
from tqdm import tqdm


@dataclass(frozen=True)
class DriveAnswers:
    """
    A drive through a map.

    :ivar answers: to its frames.
    :ivar truth: bool ``[frames, places]``.
    :ivar positions: where it really was, metres, ``[frames, 3]``.
    :ivar stamps: of the frames, nanoseconds, ``[frames]``.
    :ivar estimates: of each frame.
    :ivar left_out: which frames are not among them, and why.
    """

    answers: Answers
    truth: NDArray[np.bool_]
    positions: NDArray[np.float64]
    stamps: NDArray[np.int64]
    estimates: list[Estimate]
    left_out: BuildReport


def look_on_map(map_file: Path, reranking: str | None) -> int:
    """
    Return at how many candidates a localizer looks again on a map.

    :param map_file: the map.
    :param reranking: ``tokens`` or ``none``; None is tokens where the map has them.
    :raises MapError: the map cannot be used.
    :raises DatasetError: tokens are asked for, and the map has none.
    """
    with PlaceMap.open_file(map_file) as place_map:
        looks = place_map.has_second_look()
    if reranking == 'tokens' and not looks:
        raise DatasetError(f"{map_file} has no patch tokens: encode it again with 'vpr_map "
                           "reencode' and a model that has them, or leave --rerank tokens out")
    return SECOND_LOOK if looks and reranking != 'none' else 0


def answer_bag(map_file: Path, bag: Path, filter_name: str, model: Path | None,
               wanted: Topics, radius: float, second_look: int = 0,
               pictures: Keepsakes | None = None) -> DriveAnswers:
    """
    Localise the frames of a bag in a map, as they come.

    :param map_file: the map.
    :param bag: with images, and poses in the frame of the map.
    :param filter_name: of the localizer.
    :param model: of the map; None for the shipped one that it was made with.
    :param wanted: what of the bag is to be read.
    :param radius: metres within which a place is true.
    :param second_look: how many candidates are compared by their patch tokens, see
        `look_on_map`.
    :param pictures: is shown the frames that are answered.
    :raises BagError: the bag cannot be used.
    :raises MapError: the map cannot be used.
    :raises ModelError: the model cannot be used.
    :raises DatasetError: no frame has a pose and a picture.
    """
    encoder = PlaceEncoder(model_of_map(map_file, model), threads=0)
    with PlaceMap.open_file(map_file) as place_map:
        if not len(place_map):
            raise MapError(f'{map_file} holds no places')
        asked = PictureLocalizer(place_map, encoder, LocalizerOptions(
            filter_name, candidates=max(RANKS), second_look=second_look))
        traverse = _drive(bag, wanted, place_map.geodetic_origin, map_file)
        report = BuildReport(notes=list(traverse.notes))
        estimates: list[Estimate] = []
        positions: list[NDArray[np.float64]] = []
        stamps, seconds = [], []
        for frame in tqdm(traverse.frames(), total=traverse.length,
                          desc=f'{bag.name}/{filter_name}', unit='frame', leave=False):
            if frame.pose is None:
                report.skip(f'without a pose: {frame.missing}', frame.where)
                continue
            began = time.perf_counter()
            try:
                image = frame.decode()
                estimate = asked.locate(image, frame.stamp_ns)
            except ImageError as error:
                report.skip(f'that cannot be decoded: {error}', frame.where)
                continue
            estimates.append(estimate)
            seconds.append(time.perf_counter() - began)
            if pictures is not None:
                pictures.see(len(positions), image)
            positions.append(frame.pose.position)
            stamps.append(frame.stamp_ns)
    report.damaged += traverse.problems
    if not estimates:
        told = '; '.join(line.strip() for line in report.details())
        raise DatasetError(f'{bag}: no frame can be used: {told or "there are no images"}')
    true_at = np.array(positions)
    truth = within(asked.localizer.table.positions, true_at, radius)
    if not truth.any():
        report.notes.append(
            f'{bag}: no frame lies within {radius:g} m of a place of {map_file}: are its poses in '
            'the frame of the map? --pose-topic and --tf-frames say which are taken')
    size = encoder.bits // 8 + (int(np.prod(encoder.info.token_shape)) if second_look else 0)
    return DriveAnswers(
        collected(estimates, np.array(seconds), asked.localizer, filter_name, size),
        truth, true_at, np.array(stamps, np.int64), estimates, report)


def _drive(bag: Path, wanted: Topics, origin: Origin | None, map_file: Path) -> BagTraverse:
    """Read the poses of a bag in the frame of the map."""
    # It is None only where all of the bag is known.
    traverse = cast(BagTraverse, read_bag(bag, wanted, origin, {}, progress=False))
    if traverse.track.origin is not None and origin is None:
        raise no_gps_frame(bag, map_file)
    if traverse.track.origin is None and origin is not None:
        traverse.notes.append(not_of_gps(bag, origin))
    return traverse
