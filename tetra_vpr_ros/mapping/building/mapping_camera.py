# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The camera that a map remembers: that of its first traverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
import math

from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.camera import Camera, seen_otherwise
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.sources.traverse import Traverse
from tetra_vpr_ros.vision.decoding import ImageError

_LOOKED_AT = 100  # frames, for one that can be decoded


def keep_camera(place_map: PlaceMap, traverses: Sequence[Traverse], horizontal_fov: float,
                report: BuildReport) -> None:
    """
    Store the camera of the first traverse whose camera is known, unless the map has one.

    :param place_map: open for writing.
    :param traverses: that are to be mapped.
    :param horizontal_fov: of their cameras, degrees; 0 where they tell it themselves.
    :param report: is told of cameras that see more or less than the map's.
    :raises MapError: the map cannot be written, or there is no such field of view.
    """
    kept = place_map.camera
    for traverse in traverses:
        camera = _camera_of(traverse, horizontal_fov)
        if camera is None:
            continue
        if kept is None:
            kept = camera
            if traverse.camera is not None:
                # Of the pictures, to whose pixels local features belong: drivers that bin send
                # fewer than they are calibrated for.
                width, height = _picture_size(traverse) or (camera.width, camera.height)
                kept = replace(camera, width=width, height=height)
            place_map.set_meta(camera=kept.to_meta())
        elif otherwise := seen_otherwise(camera, kept):
            report.notes.append(f'{traverse.source}: {otherwise}')


def _camera_of(traverse: Traverse, horizontal_fov: float) -> Camera | None:
    """Return what is known of a traverse's camera; what a person says goes first."""
    if not horizontal_fov:
        return traverse.camera
    size = _picture_size(traverse) if traverse.camera is None else (
        traverse.camera.width, traverse.camera.height)
    if size is None:
        return None
    try:
        return Camera.from_field_of_view(*size, math.radians(horizontal_fov))
    except ValueError as error:
        raise MapError(str(error)) from error


def _picture_size(traverse: Traverse) -> tuple[int, int] | None:
    """Return width and height of the first picture that can be decoded; None of none."""
    for frame in islice(traverse.frames(), _LOOKED_AT):
        try:
            height, width, _ = frame.decode().shape
        except ImageError:
            continue
        return width, height
    return None
