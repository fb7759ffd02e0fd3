# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map for another model, without driving again."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.sources.bag import BagSource
from tetra_vpr_ros.mapping.tools.rewriting import rewritten
from tetra_vpr_ros.vision.decoding import decode_compressed, Image, ImageError
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tqdm import tqdm

_BATCH = 8


def reencode(path: Path, output: Path, encoder: PlaceEncoder, from_bags: bool = False,
             progress: bool = True) -> int:
    """
    Encode the places of a map with another model.

    :param path: of the map; it may be the output, too.
    :param output: of the new map.
    :param encoder: of the new model.
    :param from_bags: read the pictures from the bags that the map was built from, instead
        of the thumbnails. Those are small, but larger than what a model looks at.
    :param progress: show bars.
    :returns: places.
    :raises MapError: the map cannot be read or written, or a place has no picture.
    :raises BagError: a bag cannot be read.
    """
    with PlaceMap.open_file(path) as place_map:
        place_map.require_sound()
        table = place_map.places()
        if from_bags:
            descriptors = _from_bags(place_map, table, encoder, progress)

            def describe(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
                return descriptors[rows]
        else:
            describe = partial(_from_thumbnails, place_map, table, encoder)
        with rewritten(output, place_map, encoder.info) as new:
            return copy_places(place_map, table, new, np.ones(len(table), bool), None, progress,
                               describe)


def _from_thumbnails(place_map: PlaceMap, table: PlaceTable, encoder: PlaceEncoder,
                     rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.concatenate([
        encoder.encode_batch([_thumbnail(place_map, int(table.ids[row]))
                              for row in rows[first:first + _BATCH]])
        for first in range(0, len(rows), _BATCH)])


def _thumbnail(place_map: PlaceMap, place: int) -> Image:
    jpeg = place_map.thumbnail(place)
    if jpeg is None:
        raise MapError(f'{place_map.path}: place {place} has no thumbnail: encode it from its '
                       'bags, or build the map again')
    try:
        return decode_compressed(jpeg)
    except ImageError as error:
        raise MapError(f'{place_map.path} is damaged: the thumbnail of place {place}: {error}'
                       ) from error


def _from_bags(place_map: PlaceMap, table: PlaceTable, encoder: PlaceEncoder, progress: bool
               ) -> NDArray[np.uint8]:
    descriptors = np.zeros((len(table), encoder.bits // 8), np.uint8)
    for session in place_map.sessions():
        bag_path, _, topic = session.source.rpartition(':')
        rows = np.flatnonzero(table.sessions == session.number)
        wanted = {int(table.stamps[row]): int(row) for row in rows}
        repeated = [s for s, n in Counter(table.stamps[rows].tolist()).items() if n > 1]
        if repeated:
            raise MapError(f'{session.source}: several places have the stamp {repeated[0]}: '
                           'encode from the thumbnails, or build the map again')
        if not topic.startswith('/') or not bag_path:
            raise MapError(f'{session.source} is not a bag: encode from the thumbnails')
        with BagSource(Path(bag_path)) as bag:
            frames = tqdm(bag.images(bag.find_image_topic(topic)), unit='frame',
                          total=bag.message_count(topic), disable=not progress,
                          desc=f'encoding {bag.path.name}')
            for frame in frames:
                if frame.stamp_ns not in wanted:
                    continue
                try:
                    descriptors[wanted[frame.stamp_ns]] = encoder.encode(frame.decode())
                except ImageError:
                    continue
                del wanted[frame.stamp_ns]
        if wanted:
            raise MapError(f'{session.source} has no picture any more of {len(wanted)} places, '
                           f'the first at {min(wanted)} ns')
    return descriptors
