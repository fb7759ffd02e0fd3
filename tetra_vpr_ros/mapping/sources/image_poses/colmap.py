# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of images that COLMAP has found."""

from __future__ import annotations

from collections.abc import Sequence
import math
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.sources.image_poses.path_matching import match_paths
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import (
    completed, OPTICAL, PosedImages, Skipped)
from tetra_vpr_ros.mapping.sources.image_poses.stamps import number
from tetra_vpr_ros.mapping.sources.image_poses.tables import read_text_lines
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import sound

_UNIT = 0.01  # by which the length of a quaternion may differ from one


def poses_of_colmap(model: Path, folder: Path, files: Sequence[Path]) -> PosedImages:
    """
    Read ``images.txt`` of a COLMAP text model; its second lines may be blank, or missing.

    :param model: the folder of the model, or the file.
    :param folder: of the images.
    :param files: images.
    :raises MapError: the file is none, or the images are not told apart.
    """
    path = model if model.is_file() else model / 'images.txt'
    if not path.is_file():
        raise MapError(f'no COLMAP text model: {path} is missing (export one with '
                       "'colmap model_converter --output_type TXT')")
    names, values, skipped = [], [], Skipped()
    for at, line in enumerate(read_text_lines(path), 1):
        words = line.split(maxsplit=9)
        if not words or words[0].startswith('#') or _is_points(line):
            continue
        found = _image(words)
        if found is None:
            skipped.add('lines are no image of a COLMAP images.txt (ID QW QX QY QZ TX TY TZ '
                        'CAMERA NAME)', f'{path}, line {at}: {line[:60]!r}')
            continue
        names.append(words[9].strip())
        values.append(found)
    if not names:
        raise MapError(f"{path} is no COLMAP images.txt: {'; '.join(skipped.lines()) or 'empty'}")
    rows = np.array(values)
    # COLMAP's are poses of the world in the camera.
    turns = Rotation.from_quat(rows[:, [1, 2, 3, 0]]).inv()
    poses = sound(-turns.apply(rows[:, 4:]), (turns * Rotation.from_matrix(OPTICAL)).as_quat(),
                  lambda i: f'{path}: {names[i]}', skipped, [False] * len(rows))
    matched = match_paths(files, folder, names, str(path))
    if all(row is None for row in matched):
        raise MapError(f'{path} has no image of {folder}: it has {names[0]!r}, the folder '
                       f'{str(files[0].relative_to(folder))!r}')
    for file, row in zip(files, matched):
        if row is None:
            skipped.images[file] = f'the model in {path} has not registered it'
    return PosedImages(completed([None] * len(files)),
                       [None if row is None else poses[row] for row in matched],
                       'path', skipped)


def _is_points(line: str) -> bool:
    """Tell whether a line holds points: X, Y and a number each, whole or -1."""
    words = line.split()
    return len(words) % 3 == 0 and all(number(word) is not None for word in words)


def _image(words: Sequence[str]) -> list[float] | None:
    """Return quaternion and shift of an image's line; None where it is none."""
    if len(words) < 10 or not (words[0].isdecimal() and words[8].isdecimal()):
        return None
    try:
        values = [float(word) for word in words[1:8]]
    except ValueError:
        return None
    length = math.sqrt(sum(min(abs(value), 1e9)**2 for value in values[:4]))
    if abs(length - 1) > _UNIT or not all(map(math.isfinite, values)):
        return None
    return values
