# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map for another model, without driving again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.sources.bag import BagSource
from tetra_vpr_ros.mapping.sources.image_folder import POSE_SOURCES
from tetra_vpr_ros.mapping.tools.rewriting import place_for, rewritten
from tetra_vpr_ros.vision.decoding import decode_compressed, Image, ImageError
from tetra_vpr_ros.vision.encoder import Encodings, PlaceEncoder
from tqdm import tqdm

_BATCH = 8
# Behind a folder of images, and before the file of their poses.
_POSES = tuple(f':{kind}' for kind, _, file in (source.partition(':') for source in POSE_SOURCES)
               if file in ('FILE', 'FOLDER'))
Look = Callable[[Sequence[Image]], Encodings]


def reencode(path: Path, output: Path, encoder: PlaceEncoder, from_bags: bool = False,
             tokens: bool = True, progress: bool = True, notes: list[str] | None = None) -> int:
    """
    Encode the places of a map with another model, or add the patch tokens that it lacks.

    :param path: of the map; it may be the output, too.
    :param output: of the new map.
    :param encoder: of the new model.
    :param from_bags: read the pictures from the bags that the map was built from, instead
        of the thumbnails. Those are small, but larger than what a model looks at.
    :param tokens: store the patch tokens, too, where the model has them.
    :param progress: show bars.
    :param notes: is told what a person should know.
    :returns: places.
    :raises MapError: the map cannot be read or written, or a place has no picture.
    :raises BagError: a bag cannot be read.
    """
    with place_for(output, path) as output, PlaceMap.open_file(path) as place_map:
        place_map.require_sound()
        table = place_map.places()
        look = partial(encoder.encode_with_tokens, wanted=tokens)
        encode = (_FromBags(place_map, table, look, progress) if from_bags
                  else partial(_from_thumbnails, place_map, table, look))
        if notes is not None and encoder.info.name != (name := place_map.value('model_name')):
            notes.append(f'{output}: its model is {encoder.info.name} now, it was {name}')
        with rewritten(output, place_map, encoder.info, notes) as new:
            return copy_places(place_map, table, new, np.ones(len(table), bool), None, progress,
                               encode)


def _from_thumbnails(place_map: PlaceMap, table: PlaceTable, look: Look,
                     rows: NDArray[np.int64]) -> Encodings:
    return Encodings.joined([
        look([_thumbnail(place_map, int(table.ids[row])) for row in rows[first:first + _BATCH]])
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


class _FromBags:
    """Encodes the places of a traverse when the first of them is asked for."""

    def __init__(self, place_map: PlaceMap, table: PlaceTable, look: Look, progress: bool
                 ) -> None:
        self._map, self._table = place_map, table
        self._look, self._progress = look, progress
        self._session = -1
        self._found: dict[int, Encodings] = {}

    def __call__(self, rows: NDArray[np.int64]) -> Encodings:
        session = int(self._table.sessions[rows[0]])
        if session != self._session:
            self._session, self._found = session, self._encode(session)
        return Encodings.joined([self._found[int(row)] for row in rows])

    def _encode(self, number: int) -> dict[int, Encodings]:
        session = next(s for s in self._map.sessions() if s.number == number)
        # Of two maps of one bag that were merged the second names it so.
        bag_path, _, topic = re.sub(r'( \(again\))+$', '', session.source).rpartition(':')
        rows = np.flatnonzero(self._table.sessions == number)
        stamps = self._table.stamps[rows].tolist()
        repeated = [s for s, n in Counter(stamps).items() if n > 1]
        if repeated:
            raise MapError(f'{session.source}: several places have the stamp {repeated[0]}: '
                           'encode from the thumbnails, or build the map again')
        if not topic.startswith('/') or not bag_path or bag_path.endswith(_POSES):
            raise MapError(f'{session.source} is not a bag: encode from the thumbnails')
        wanted, found = dict(zip(stamps, rows.tolist())), {}
        with BagSource(Path(bag_path)) as bag:
            frames = tqdm(bag.images(bag.find_image_topic(topic)), unit='frame',
                          total=bag.message_count(topic), disable=not self._progress,
                          desc=f'encoding {bag.path.name}')
            for frame in frames:
                stamp = frame.taken_ns(by_header=frame.stamp_ns in wanted)
                if stamp not in wanted:
                    continue
                try:
                    found[wanted[stamp]] = self._look([frame.decode()])
                except ImageError:
                    continue
                del wanted[stamp]
        if wanted:
            raise MapError(f'{session.source} has no picture any more of {len(wanted)} places, '
                           f'the first at {min(wanted)} ns')
        return found
