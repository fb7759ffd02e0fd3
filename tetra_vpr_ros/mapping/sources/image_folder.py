# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images whose poses other tools have written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.image_poses.camera_axes import AXES, turned
from tetra_vpr_ros.mapping.sources.image_poses.colmap import poses_of_colmap
from tetra_vpr_ros.mapping.sources.image_poses.names import poses_of_names
from tetra_vpr_ros.mapping.sources.image_poses.pairing import pair, WAYS
from tetra_vpr_ros.mapping.sources.image_poses.photos import poses_of_exif
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import PosedImages
from tetra_vpr_ros.mapping.sources.image_poses.table_of_poses import read_table
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import (
    read_euroc, read_kitti, read_tum, Trajectory)
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.mapping.sources.traverse import Frame
from tetra_vpr_ros.vision.compressed_structure import is_deep_grey
from tetra_vpr_ros.vision.decoding import decode_compressed, Image, ImageError
from tetra_vpr_ros.vision.image_files import image_files, SUFFIXES

POSE_SOURCES = ('utm', 'utm:way', 'tum:FILE', 'kitti:FILE', 'euroc:FILE', 'csv:FILE',
                'colmap:FOLDER', 'exif')
"""Where the poses of images can come from; `AXES` and `WAYS` may follow a trajectory's file."""

_TRAJECTORIES: dict[str, Callable[[Path], Trajectory]] = {
    'tum': read_tum, 'kitti': read_kitti, 'euroc': read_euroc, 'csv': read_table}


@dataclass
class FolderTraverse:
    """
    Images with a pose each; see `traverse.Traverse`.

    :ivar folder: of the images.
    :ivar source: by which a map knows it.
    :ivar images: paths, stamps in nanoseconds and poses; None where one is not known.
    :ivar camera: always None: folders do not tell it.
    :ivar problems: always empty: what has no pose is noted beforehand.
    :ivar notes: how images and poses were paired, what was left out or completed, for a person.
    :ivar missing: why images have no pose, for a person.
    """

    folder: Path
    source: str
    images: Sequence[tuple[Path, int, Pose | None]]
    camera: Camera | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: Mapping[Path, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return self.folder.name

    @property
    def length(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def frames(self) -> Iterator[Frame]:
        """Yield the images in their order."""
        for path, stamp, pose in self.images:
            yield Frame(stamp, pose, partial(_decode, path), str(path), self.missing.get(
                path, 'its line holds no pose') if pose is None else '')


def _decode(path: Path) -> Image:
    try:
        return decode_compressed(path.read_bytes())
    except OSError as error:
        raise ImageError(f'it cannot be read: {error}') from error


def read_folder(folder: Path, poses: str, origin: Origin | None = None,
                max_gap: int | None = None) -> tuple[FolderTraverse, Origin | None]:
    """
    Find the images of a folder and their poses.

    * ``utm``: names ``@utm_east@utm_north@…``, as VPR-methods-evaluation has them; metres
      of the grid are metres of the map; ``utm:way`` turns images without a heading along the
      way that their order makes;
    * ``tum:FILE``: ``stamp x y z qx qy qz qw`` a line;
    * ``kitti:FILE``: a 3x4 matrix a line for each image, of the camera in the first
      camera's frame, turned here to x forward, z up;
    * ``euroc:FILE``: nanoseconds, position and quaternion, with w first;
    * ``csv:FILE``: a table whose header names its columns, see `read_table`;
    * ``colmap:FOLDER``: ``images.txt`` of a text model; the frame is the model's own;
    * ``exif``: GPS in the images; a local frame of metres to the east and north.

    Images and the lines of a trajectory are paired as `pair` proves it; ``:stamp``,
    ``:number`` or ``:order`` behind the file says how. Before that, ``:camera`` or ``:slam``
    says that the poses are a camera's, see `turned`.

    Cameras look forward along x of the pose, as in the rest of the package.

    :param folder: of JPEG or PNG images.
    :param poses: one of `POSE_SOURCES`.
    :param origin: of the frame of GPS positions; None takes the first image.
    :param max_gap: nanoseconds between two poses of a trajectory that may be interpolated;
        None takes what their rate suggests.
    :returns: the traverse, and the origin of a frame made from GPS.
    :raises MapError: the folder, the images or the poses cannot be used.
    """
    if not folder.is_dir():
        raise MapError(f'no such folder: {folder}')
    files = image_files(folder, deep=True)
    if not files:
        raise MapError(f"{folder} holds no image ({', '.join(SUFFIXES)})")
    files, depths = _without_depths(files)
    try:
        found = _find(folder, files, poses, origin, max_gap)
    except (ValueError, OverflowError, OSError) as error:  # whatever a number or a text can be
        raise MapError(f'{folder}: {error}') from error
    if all(pose is None for pose in found.poses):
        told = '; '.join([*found.notes(), *found.skipped.images_lines()])
        raise MapError(f'{folder}: no image has a pose in {poses}: {told}')
    if depths:
        found.skipped.add('files are left out as depths: 16 bits of grey among other pictures',
                          depths[0], len(depths))
    images = list(zip(files, found.stamps, found.poses))
    if poses.startswith('utm'):
        # Such names go eastwards, whichever way was driven.
        images.sort(key=lambda image: image[1])
    return FolderTraverse(folder, f'{folder.resolve()}:{_resolved(poses)}', images,
                          notes=found.notes(), missing=found.skipped.images), found.origin


def _resolved(poses: str) -> str:
    """Return where poses come from by a name that is the same wherever it is typed."""
    kind, rest, axes, way = _parted(poses)
    if kind not in _TRAJECTORIES and kind != 'colmap':
        return poses
    return ':'.join([kind, str(Path(rest).resolve()), *filter(None, (axes, way))])


def _parted(poses: str) -> tuple[str, str, str | None, str | None]:
    """Part one of `POSE_SOURCES`: its kind, what follows, and a trajectory's axes and way."""
    kind, _, rest = poses.partition(':')
    axes = way = None
    if kind in _TRAJECTORIES:
        rest, way = _last(rest, WAYS)
        rest, axes = _last(rest, AXES if kind != 'kitti' else ())
    return kind, rest, axes, way


def _last(spec: str, words: Sequence[str]) -> tuple[str, str | None]:
    """Part a word behind a colon from the file before it, where it is one of these."""
    file, _, word = spec.rpartition(':')
    return (file, word) if file and word in words else (spec, None)


def _without_depths(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Part pictures from the depths beside them; grey of 16 bits alone is a camera's."""
    deep = [file.suffix.lower() == '.png' and _is_deep_grey(file) for file in files]
    if all(deep):
        return list(files), []
    return ([file for file, is_deep in zip(files, deep) if not is_deep],
            [file for file, is_deep in zip(files, deep) if is_deep])


def _is_deep_grey(path: Path) -> bool:
    try:
        with path.open('rb') as file:
            return is_deep_grey(file.read(26))
    except OSError:  # the decoding tells of it
        return False


def _find(folder: Path, files: Sequence[Path], poses: str, origin: Origin | None,
          max_gap: int | None) -> PosedImages:
    kind, rest, axes, way = _parted(poses)
    if kind == 'utm' and rest in ('', 'way'):
        return poses_of_names(files, way=rest == 'way')
    if kind in _TRAJECTORIES and rest:
        return pair(turned(_TRAJECTORIES[kind](Path(rest)), axes), files, folder, way,
                    max_gap)
    if kind == 'colmap' and rest:
        return poses_of_colmap(Path(rest), folder, files)
    if kind == 'exif' and not rest:
        return poses_of_exif(files, origin)
    raise MapError(f"no poses {poses!r}: use one of {', '.join(POSE_SOURCES)}")
