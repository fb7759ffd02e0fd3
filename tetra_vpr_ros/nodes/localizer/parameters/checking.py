# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What values parameters may have: the same for those at the start and for later ones."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
import math
from typing import Any

from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name
from tetra_vpr_ros.localization.observation import FILTERS, unknown_filter
from tetra_vpr_ros.nodes.localizer.parameters.table import PARAMETERS, Spec

_KINDS = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'a text'}
_LISTS = {float: 'a list of numbers', str: 'a list of texts'}
_TOPICS, _FRAMES = ('image_topics', 'odom_topic'), ('frame_id', 'base_frame', 'global_pose_frame')


class ParameterError(ValueError):
    """A parameter with an unusable value; the text names it."""


def fitted(name: str, value: Any) -> Any:
    """
    Return a value in the type of its parameter: a whole number is a number, too.

    :param name: of the parameter; values of others than ours are returned as they are.
    :param value: as a file, a command line or a service gave it.
    :raises ParameterError: it is of another type; the right one is said.
    """
    spec = _spec(name)
    if spec is None:
        return value
    if isinstance(spec.default, list):
        kind = type(spec.default[0])
        # An empty list of a file has no type, and comes as no value at all.
        items = [] if value is None else value
        if isinstance(items, (str, bytes)) or not isinstance(items, (Sequence, array)):
            raise ParameterError(
                f'{name} must be {_LISTS[kind]}, as {spec.default}, not {value!r}')
        return [_of_kind(f'{name}[{i}]', kind, item) for i, item in enumerate(items)]
    return _of_kind(name, type(spec.default), value)


def check(name: str, value: Any) -> None:
    """
    Check a value that has the right type.

    :raises ParameterError: the value is not allowed; what is allowed is said.
    """
    spec = _spec(name)
    if spec is None:  # QoS overrides and use_sim_time are not ours
        return
    if name == 'filter' and value not in FILTERS:
        raise ParameterError(unknown_filter(value))
    if spec.choices and value not in spec.choices:
        raise ParameterError(f"{name} must be one of {', '.join(spec.choices)}, not {value!r}")
    if spec.low is not None and spec.high is not None and not spec.low <= value <= spec.high:
        raise ParameterError(
            f'{name} is out of range: it must lie between {spec.low:g} and {spec.high:g}, '
            f'not {value:g}')
    if name == 'image_topics':
        _check_image_topics(value)
    if name == 'horizontal_fov' and 0.0 < value <= 1.0:
        raise ParameterError(f'horizontal_fov is in degrees: {value:g} is too narrow')
    if name == 'camera_yaws' and not (value and all(map(math.isfinite, value))):
        raise ParameterError('camera_yaws needs a heading for each camera, or one for all, in '
                             f'degrees, not {value}')
    if name in _TOPICS:
        for topic in value if isinstance(value, list) else filter(None, [value]):
            _check_topic(name, topic)
    if name in _FRAMES and value.startswith('/'):
        raise ParameterError(f"{name} must not begin with '/', which tf2 refuses: {value!r}")


def _spec(name: str) -> Spec | None:
    return next((spec for spec in PARAMETERS if spec.name == name), None)


def _of_kind(name: str, kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ParameterError(f'{name} must be {_KINDS[kind]}, not {value!r}')
    return value


def _check_image_topics(topics: Sequence[str]) -> None:
    if not topics or not all(topics):
        raise ParameterError('image_topics must name at least one topic, and no empty one')
    if len(set(topics)) < len(topics):
        raise ParameterError(f"image_topics names a topic twice: {', '.join(topics)}")


def _check_topic(name: str, topic: str) -> None:
    try:
        validate_topic_name(topic)
    except InvalidTopicNameException as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(f'{name}: {topic!r} is no name of a topic: {reason}') from None
