# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images whose poses other tools have written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import Pose, sound_poses
from tetra_vpr_ros.mapping.sources.image_poses import (
    Located, poses_of_colmap, poses_of_exif, poses_of_kitti, poses_of_names, poses_of_tum)
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.mapping.sources.traverse import Frame
from tetra_vpr_ros.vision.decoding import decode_compressed, Image, ImageError
from tetra_vpr_ros.vision.image_files import image_files, SUFFIXES

POSE_SOURCES = ('utm', 'tum:FILE', 'kitti:FILE', 'colmap:FOLDER', 'exif')
"""Where the poses of a folder of images can come from."""

_LATEST = 2**63 - 1  # nanoseconds that a map can hold


@dataclass
class FolderTraverse:
    """
    Images with a pose each; see `traverse.Traverse`.

    :ivar folder: of the images.
    :ivar source: by which a map knows it.
    :ivar images: paths, stamps in nanoseconds and poses; None where one is not known.
    :ivar camera: always None: folders do not tell it.
    :ivar problems: always empty: what cannot be read is an error beforehand.
    """

    folder: Path
    source: str
    images: Sequence[tuple[Path, int, Pose | None]]
    camera: Camera | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return self.folder.name

    @property
    def length(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def frames(self) -> Iterator[Frame]:
        """Yield the images in the order of their names."""
        for path, stamp, pose in self.images:
            yield Frame(stamp, pose, partial(_decode, path))


def _decode(path: Path) -> Image:
    try:
        return decode_compressed(path.read_bytes())
    except OSError as error:
        raise ImageError(f'{path} cannot be read: {error}') from error


def read_folder(folder: Path, poses: str, origin: Origin | None = None
                ) -> tuple[FolderTraverse, Origin | None]:
    """
    Find the images of a folder and their poses.

    * ``utm``: names ``@utm_east@utm_north@…``, as VPR-methods-evaluation has them; metres
      of the grid are metres of the map, the heading is the name's or the way driven;
    * ``tum:FILE``: ``stamp x y z qx qy qz qw`` a line; images whose names are stamps are
      interpolated, others are one for each line;
    * ``kitti:FILE``: a 3x4 matrix a line for each image, of the camera in the first
      camera's frame, turned here to x forward, z up;
    * ``colmap:FOLDER``: ``images.txt`` of a text model; the frame is the model's own;
    * ``exif``: GPS in the images; a local frame of metres to the east and north.

    Cameras look forward along x of the pose, as in the rest of the package.

    :param folder: of JPEG or PNG images.
    :param poses: one of `POSE_SOURCES`.
    :param origin: of the frame of GPS positions; None takes the first image.
    :returns: the traverse, and the origin of a frame made from GPS.
    :raises MapError: the folder, the images or the poses cannot be used.
    """
    if not folder.is_dir():
        raise MapError(f'no such folder: {folder}')
    files = image_files(folder, deep=True)
    if not files:
        raise MapError(f"{folder} holds no image ({', '.join(SUFFIXES)})")
    kind, _, rest = poses.partition(':')
    found_origin: Origin | None = None
    located: Located
    try:
        if kind == 'utm' and not rest:
            located = poses_of_names(files)
        elif kind == 'tum' and rest:
            located = poses_of_tum(Path(rest), files)
        elif kind == 'kitti' and rest:
            located = poses_of_kitti(Path(rest), files)
        elif kind == 'colmap' and rest:
            located = poses_of_colmap(Path(rest), folder, files)
        elif kind == 'exif' and not rest:
            located, found_origin = poses_of_exif(files, origin)
        else:
            raise MapError(f"no poses {poses!r}: use one of {', '.join(POSE_SOURCES)}")
    except (ValueError, OverflowError, OSError) as error:  # whatever a number or a text can be
        raise MapError(f'{folder}: {error}') from error
    images = [(path, stamp, pose) for path, (stamp, pose) in zip(files, located)]
    if all(pose is None for _, _, pose in images):
        raise MapError(f'{folder}: no image has a pose in {poses}')
    _check(images, poses)
    return FolderTraverse(folder, f'{folder.resolve()}:{poses}', images), found_origin


def _check(images: Sequence[tuple[Path, int, Pose | None]], poses: str) -> None:
    for path, stamp, pose in images:
        if pose is not None and not sound_poses(pose.position[None], pose.quaternion[None])[0]:
            raise MapError(f'{path}: its pose in {poses} is not finite, or not on Earth')
        if abs(stamp) > _LATEST:
            raise MapError(f'{path}: its stamp in {poses} is {stamp} ns')
