# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map written anew beside the old one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil

from tetra_vpr_ros.mapping.calibration import BY_A_DRIVE, by_a_drive, calibrate_again
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.map_file import logs_of, put_in_place
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.writer_lock import WriterLock
from tetra_vpr_ros.vision.model_file import ModelInfo


_KEPT = ('build', 'keyframes', 'poses', 'pose_frame', 'geodetic_origin', 'camera')


@contextmanager
def place_for(output: Path, *sources: Path) -> Iterator[Path]:
    """
    Keep the place of a new map from other writers, from before its sources are read.

    :param output: of the new map; the map that a link leads to is meant.
    :param sources: maps that it is made of. If it is one of them it will be replaced.
    :returns: where it will lie.
    :raises MapError: something else is there, it may not be written, or another process does.
    """
    output = output.resolve()
    replaced = is_one_of(output, *sources)
    if output.exists() and not replaced:
        raise MapError(f'{output} exists: name another file, or remove it')
    if not output.parent.is_dir():
        raise MapError(f'{output} cannot be created: there is no folder {output.parent}')
    # Who may do anything is told by the mode alone.
    if replaced and not (os.access(output, os.W_OK) and output.stat().st_mode & 0o222):
        raise MapError(f'{output} is read-only: name another file with --out')
    temporary = _beside(output)
    if temporary in [source.resolve() for source in sources]:
        raise MapError(f'{temporary} is what {output} is written to first: rename it')
    lock = WriterLock(output)
    try:
        yield output
    finally:
        lock.release()


def is_one_of(path: Path, *others: Path) -> bool:
    """Tell whether a file is one of others, by whatever name."""
    return path.is_file() and any(other.is_file() and path.samefile(other) for other in others)


def _beside(output: Path) -> Path:
    return output.with_name(f'{output.name}.rewritten.tmp')


@contextmanager
def rewritten(output: Path, like: PlaceMap, model: ModelInfo | None = None,
              notes: list[str] | None = None) -> Iterator[PlaceMap]:
    """
    Write a map beside its final place and swap it in when it is whole.

    :param output: see `place_for`; an existing map is replaced at the end.
    :param like: a map with the frame and the camera of the new one.
    :param model: of the new map; None for that of the other.
    :param notes: is told what a person should know.
    """
    temporary = _beside(output)
    for file in (temporary, *logs_of(temporary)):
        file.unlink(missing_ok=True)
    meta, former = like.meta(), by_a_drive(like)
    if former is not None and notes is not None:
        notes.append(f'{output}: {BY_A_DRIVE}')
    if model is None:
        model = ModelInfo(Path(meta['model_name']), meta['model_fingerprint'],
                          meta['model_name'], '', like.bits, 0, 0, '', like.token_grid,
                          int(meta.get('token_bits', 0)), like.match_model())
    try:
        with PlaceMap.create(temporary, model, like.frame_id) as new:
            new.set_meta(**{key: meta[key] for key in _KEPT if key in meta})
            yield new
            alike = model.encodes_like(meta['model_fingerprint'])
            calibrate_again(new, former if alike else None)
        if output.exists():
            shutil.copymode(output, temporary)
        put_in_place(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
