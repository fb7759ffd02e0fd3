# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which query shows which place: the ways in which data sets say it."""

from __future__ import annotations

from collections.abc import Sequence
import csv
from pathlib import Path
import pickle
import re
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.positions import (
    Positions, positions_of_file, positions_of_names, within)
from tetra_vpr_ros.evaluation.recognition.recall import frames_truth
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.sources.image_poses.path_matching import match_paths
from tetra_vpr_ros.vision.image_files import SUFFIXES

Truth = NDArray[np.bool_]

KINDS = ('utm:RADIUS', 'frames:TOLERANCE', 'poses:FILE:RADIUS', 'csv:FILE[:COLUMN]', 'pairs:FILE',
         'labels:PATTERN', 'npy:FILE', 'matrix:FILE', 'none')
"""Forms of a ground truth."""


def read_truth(spec: str, database: Sequence[Path], queries: Sequence[Path]) -> Truth:
    """
    Return which query shows which place.

    * ``utm:25``: names ``@utm_east@utm_north@…``, places within 25 m (the convention of
      VPR-methods-evaluation);
    * ``frames:2``: the same index in natural order of the names, give or take 2;
    * ``poses:FILE:5``: a CSV with columns ``name,x,y[,z]``, or TUM or KITTI poses of the
      database and then of the queries, one a line; within 5 m;
    * ``csv:FILE``: a CSV with columns ``query`` and ``refs``, indices in natural order of the
      names from 0, several places separated by spaces; ``csv:FILE:COLUMN`` takes them from
      another column;
    * ``pairs:FILE``: a CSV with columns ``a`` and ``b``, names (with or without ending) of two
      pictures of one place, with their folders where both folders have such a name;
    * ``labels:PATTERN``: a regular expression whose match in the names (its group ``place``, if
      it has one) is the same where the place is;
    * ``npy:FILE``: for each query the indices of its places, as VPR-Bench ships it;
    * ``matrix:FILE``: an image, not zero where query (row) and place (column) are the same;
      square over database and queries together is fine, too;
    * ``none``: nothing matches.

    :param spec: one of these.
    :param database: image files of the places.
    :param queries: image files of the queries.
    :returns: bool ``[queries, places]``.
    :raises DatasetError: the form is not known, or does not fit the images.
    """
    kind, _, rest = spec.partition(':')
    shape = (len(queries), len(database))
    if kind == 'none' and not rest:
        return np.zeros(shape, bool)
    if kind == 'frames':
        if not (rest or '2').isdecimal():
            raise DatasetError(f'ground truth {spec!r}: {rest!r} is not a whole number of frames')
        return frames_truth(*shape, int(rest or '2'))
    found = read_positions(spec, database, queries)
    if found is not None:
        radius = rest.rpartition(':')[2] if kind == 'poses' else rest or '25'
        return within(*found, _number(spec, radius))
    if kind == 'csv':
        named = Path(rest).is_file() or ':' not in rest
        file, _, column = (rest, '', 'refs') if named else rest.rpartition(':')
        return _index_columns(_file(file), column, shape)
    if kind == 'pairs':
        return _pairs(_file(rest), database, queries)
    if kind == 'labels':
        return _labels(rest, database, queries)
    if kind == 'npy':
        return _index_lists(_file(rest), shape)
    if kind == 'matrix':
        return _matrix(_file(rest), shape)
    raise DatasetError(f"no ground truth {spec!r}: use one of {', '.join(KINDS)}")


def read_positions(spec: str, database: Sequence[Path], queries: Sequence[Path]
                   ) -> tuple[Positions, Positions] | None:
    """
    Return where the pictures were taken, for the ground truths that say it.

    :param spec: of the ground truth.
    :param database: image files of the places.
    :param queries: image files of the queries.
    :returns: metres, ``[places, 2 or 3]`` and ``[queries, 2 or 3]``, or None.
    :raises DatasetError: it does not fit the images.
    """
    kind, _, rest = spec.partition(':')
    if kind == 'utm':
        return positions_of_names(database), positions_of_names(queries)
    if kind == 'poses':
        if ':' not in rest:
            raise DatasetError(f'ground truth {spec!r}: say behind the file within how many '
                               f'metres places are the same, as {spec}:5')
        return positions_of_file(_file(rest.rpartition(':')[0]), database, queries)
    return None


def _number(spec: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise DatasetError(f'ground truth {spec!r}: {text!r} is not a number of 0 or more')
    return value


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise DatasetError(f'no ground-truth file {name!r}')
    return path


def _matrix(path: Path, shape: tuple[int, int]) -> Truth:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DatasetError(f'{path} is not an image')
    same = np.asarray(image) > 0
    queries, places = shape
    if same.shape == shape:
        return np.asarray(same)
    if same.shape == (queries + places, queries + places):
        return np.asarray(same[places:, :places] | same[:places, places:].T)
    raise DatasetError(f'{path} is {same.shape[0]} x {same.shape[1]}, not {queries} queries x '
                       f'{places} places, nor square over both')


def _index_columns(path: Path, column: str, shape: tuple[int, int]) -> Truth:
    truth = np.zeros(shape, bool)
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            missing = {'query', column} - set(rows.fieldnames or ())
            if missing:
                raise DatasetError(f'{path} has no column {min(missing)!r}, only '
                                   f"{', '.join(rows.fieldnames or ()) or 'nothing'}")
            for row in rows:
                query, places = int(row['query']), [int(i) for i in (row[column] or '').split()]
                if not 0 <= query < shape[0] or any(not 0 <= i < shape[1] for i in places):
                    raise DatasetError(f'{path}, line {rows.line_num}: there are {shape[0]} '
                                       f'queries and {shape[1]} places, counted from 0')
                truth[query, places] = True
            return truth
    except (ValueError, TypeError, OSError, csv.Error) as error:
        raise DatasetError(f'{path} does not list places of queries: {error}') from error


class _ArraysOnly(pickle.Unpickler):
    """VPR-Bench's arrays of lists are pickled; nothing but arrays may come out of them."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.partition('.')[0] == 'numpy' and name in (
                '_reconstruct', 'ndarray', 'dtype', 'scalar')):
            return super().find_class(module, name)
        raise DatasetError(f'the file asks for {module}.{name}: it is not a list of indices')


def _load_array(file: BinaryIO) -> Any:
    version = np.lib.format.read_magic(file)
    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)
    _, _, dtype = read(file)
    if dtype.hasobject:
        return _ArraysOnly(file).load()
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _pairs(path: Path, database: Sequence[Path], queries: Sequence[Path]) -> Truth:
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            pairs = [(_without_ending(row['a']), _without_ending(row['b']))
                     for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DatasetError(f'{path} is no CSV with the names a and b: {error!r}') from error
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    places, asked = (_rows(files, names, path) for files in (database, queries))
    truth = np.zeros((len(queries), len(database)), bool)
    for a, b in pairs:
        found = [(asked[one], places[other]) for one, other in ((a, b), (b, a))
                 if one in asked and other in places]
        if len(found) > 1 and list(database) != list(queries):
            raise DatasetError(f'{path}: {a} and {b} may each be the query or the place: '
                               'write their folders before the names')
        for query, place in found:
            truth[query, place] = True
    if not truth.any():
        raise DatasetError(f'{path}: none of its pairs is of a query and a place: are its names '
                           f'those of the pictures, such as {queries[0].stem}?')
    return truth


def _without_ending(name: str) -> str:
    path = Path(name)
    return str(path.with_suffix('') if path.suffix.lower() in SUFFIXES else path)


def _rows(files: Sequence[Path], names: Sequence[str], where: Path) -> dict[str, int]:
    """Return the picture that each name means, among some; names have no endings."""
    try:
        matched = match_paths([file.with_suffix('') for file in files], files[0].parent, names,
                              str(where))
    except MapError as error:
        raise DatasetError(str(error)) from error
    return {names[name]: row for row, name in enumerate(matched) if name is not None}


def _labels(pattern: str, database: Sequence[Path], queries: Sequence[Path]) -> Truth:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise DatasetError(f'ground truth labels:{pattern}: {error}') from error

    def label(file: Path) -> str:
        match = expression.search(file.name)
        if match is None:
            raise DatasetError(f'{file}: labels:{pattern} does not occur in the name')
        found = match['place'] if 'place' in expression.groupindex else match[0]
        if not found:
            raise DatasetError(f'{file}: labels:{pattern} matches none of its letters')
        return found

    places, asked = ([label(file) for file in files] for files in (database, queries))
    return np.array(asked)[:, None] == np.array(places)[None]


def _index_lists(path: Path, shape: tuple[int, int]) -> Truth:
    """Read rows ``[query, [place, …]]`` or, for query i, row i of places."""
    truth = np.zeros(shape, bool)
    try:
        with path.open('rb') as file:
            rows = _load_array(file)
        if len(rows) != shape[0]:
            raise DatasetError(f'{path} has {len(rows)} rows for {shape[0]} queries')
        for number, row in enumerate(rows):
            paired = len(row) == 2 and np.ndim(row[0]) == 0 and np.ndim(row[1]) == 1
            query, places = (int(row[0]), row[1]) if paired else (number, row)
            listed = np.asarray(places)
            rows_of = listed.astype(int)
            if not ((rows_of == listed) & (rows_of >= 0)).all() or query < 0:
                raise ValueError(f'row {number} has {row!r}: indices are whole and count from 0')
            truth[query, rows_of] = True
    except (ValueError, IndexError, TypeError, pickle.UnpicklingError, EOFError) as error:
        raise DatasetError(f'{path} does not list places of {shape[0]} queries among {shape[1]} '
                           f'places: {error}') from error
    return truth
