# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizer loads when it is configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import math
from pathlib import Path
from typing import Any

import faiss
from rclpy.lifecycle import LifecycleNode
from tetra_vpr_ros.localization import (
    Localizer, LocalizerOptions, make_localizer, MotionModel)
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import model_of_map, PlaceMap
from tetra_vpr_ros.nodes.localizer.map_watch import MapWatch
from tetra_vpr_ros.nodes.localizer.outputs.publishers import Outputs
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError
from tetra_vpr_ros.nodes.localizer.shared_localizer import SharedLocalizer
from tetra_vpr_ros.vision import find_model, ModelError, PlaceEncoder, shipped_models


@dataclass
class Loaded:
    """
    Model, map and what was made of them.

    :ivar shared: the localizer; without one until all cameras are known, where tf2 is to be
        asked for them.
    :ivar places: of the map.
    :ivar image_topics: of the cameras that the localizer was made for.
    :ivar base_frame: of the robot, where tf2 is to be asked for the cameras' headings.
    :ivar options: that it was made with; only the headings of its cameras may change.
    :ivar mapping_camera: of the map; None where it is not known.
    :ivar map_watch: tells when its file is no longer the one that was loaded.
    """

    encoder: PlaceEncoder
    place_map: PlaceMap
    outputs: Outputs
    shared: SharedLocalizer
    places: MappedPlaces
    map_watch: MapWatch
    image_topics: tuple[str, ...]
    base_frame: str
    options: LocalizerOptions
    mapping_camera: Camera | None = None

    def localizer(self, yaws: tuple[float, ...]) -> Localizer:
        """Make the localizer for cameras with these headings, radians."""
        return make_localizer(self.place_map, replace(self.options, camera_yaws=yaws))

    @property
    def lacks_tokens(self) -> bool:
        """Tell whether the model makes patch tokens and the map has none."""
        return bool(self.encoder.info.token_bits) and not self.place_map.has_tokens()


def parameter_getter(node: LifecycleNode) -> Callable[[str], Any]:
    """Return a function that gives the value of a parameter."""
    return lambda name: node.get_parameter(name).value


def load(node: LifecycleNode) -> Loaded:
    """
    Load model and map as the parameters of a node say.

    :raises ModelError: the model cannot be used.
    :raises MapError: the map cannot be used.
    :raises ParameterError: parameters do not fit each other.
    """
    value = parameter_getter(node)
    yaws = fixed_yaws(node)
    if not value('map'):
        raise MapError("the parameter 'map' is empty: set it to the path of a .vpr file, "
                       'made with build_map')
    faiss.omp_set_num_threads(1)  # a search is shorter than waking threads for it
    path = _existing(value('map'), MapError, 'map')
    encoder = PlaceEncoder(_model(value('model')) if value('model') else model_of_map(path),
                           threads=value('threads'), spinning=value('spinning'),
                           optimization=value('graph_optimization'))
    map_watch, place_map = MapWatch(path), PlaceMap.open_file(path)
    try:
        place_map.require_model(encoder.info)
        if not len(place_map):
            raise MapError(f'{place_map.path} holds no place: build it again')
        # Made in any case: what is wrong with the map is told now, not at the first image.
        options = localizer_options(node, yaws or (0.0,))
        localizer = make_localizer(place_map, options)
        shared = SharedLocalizer(localizer if yaws else None, node)
        mapping_camera = place_map.camera
        # tf2 refuses a leading '/', which maps of before may have, as ROS 1 has.
        outputs = Outputs(node, value('frame_id') or place_map.frame_id.lstrip('/'),
                          value('global_pose_frame'))
    except BaseException:
        place_map.close()
        raise
    return Loaded(encoder, place_map, outputs, shared, localizer.places, map_watch,
                  tuple(value('image_topics')), value('base_frame'), options, mapping_camera)


def fit_to_cameras(node: LifecycleNode, loaded: Loaded) -> None:
    """
    Make the localizer anew where cameras or base frame are others than those it was made for.

    :raises ParameterError: the number of their headings does not fit.
    """
    value = parameter_getter(node)
    topics, base_frame = tuple(value('image_topics')), value('base_frame')
    if (topics, base_frame) != (loaded.image_topics, loaded.base_frame):
        yaws = fixed_yaws(node)
        loaded.shared.localizer = loaded.localizer(yaws) if yaws else None
        loaded.image_topics, loaded.base_frame = topics, base_frame


def _model(name: str) -> Path:
    """Return the file of the parameter ``model``, which may be the name of a shipped one."""
    found = find_model(name)
    if not name or found in shipped_models().values():
        return found
    return _existing(name, ModelError, 'model')


def _existing(name: str, kind: type[MapError] | type[ModelError], parameter: str) -> Path:
    """
    Return the path that a parameter names.

    :raises MapError: or of the other kind, there is no such file; where it was looked for is
        told.
    """
    path = Path(name).expanduser()
    if not path.is_absolute() and not path.is_file():
        raise kind(f'no {parameter} file {path} in the folder {Path.cwd()}: a relative path '
                   f'of the parameter {parameter!r} begins where the node was started')
    return path


def fixed_yaws(node: LifecycleNode) -> tuple[float, ...] | None:
    """
    Return the cameras' headings in radians, or None where tf2 is to be asked for them.

    :raises ParameterError: their number does not fit that of the cameras.
    """
    value = parameter_getter(node)
    if value('base_frame'):
        return None
    yaws, count = list(value('camera_yaws')), len(value('image_topics'))
    if len(yaws) not in (1, count):
        raise ParameterError(
            f'camera_yaws has {len(yaws)} headings for the {count} image_topics: give one '
            'for each, or one for all')
    return tuple(math.radians(yaw) for yaw in (yaws if len(yaws) == count else yaws * count))


def localizer_options(node: LifecycleNode, yaws: tuple[float, ...]) -> LocalizerOptions:
    """
    Return the options that the parameters of a node stand for.

    :param node: with the parameters.
    :param yaws: of the cameras, radians.
    """
    value = parameter_getter(node)
    return LocalizerOptions(
        name=value('filter'), false_match_rate=value('false_match_rate'),
        candidates=value('candidates'), camera_yaws=yaws,
        motion=MotionModel(*(value(name) for name in (
            'max_speed', 'odometry_noise', 'leave_rate', 'enter_rate'))),
        radius=value('agreement_radius'), margin=value('covariance_margin'),
        verification=value('verification'),
        fewest_inliers=value('fewest_inliers'), second_look=value('second_look'),
        camera_mount=value('camera_mount'))
