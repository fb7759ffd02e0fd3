# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters are declared with the values of the start, and guarded from then on."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult)
from rclpy.node import Node
from rclpy.parameter import Parameter
from tetra_vpr_ros.nodes.localizer.parameters.checking import check, fitted, ParameterError
from tetra_vpr_ros.nodes.localizer.parameters.table import PARAMETERS, Spec


def declare(node: Node) -> None:
    """
    Declare all parameters with description, type, range and the value of the start.

    What files and command lines give beside them is told in the log.

    :raises ParameterError: start values are not allowed; each of them is named.
    """
    wrong = []
    for spec in PARAMETERS:
        # At first of any type: rclpy refuses a whole number for a number, by an exception that
        # does not say what would be right.
        given = node.declare_parameter(
            spec.name, spec.default, ParameterDescriptor(dynamic_typing=True)).value
        node.undeclare_parameter(spec.name)
        try:
            value = fitted(spec.name, given)
            check(spec.name, value)
        except ParameterError as error:
            value = spec.default
            wrong.append(str(error))
        node.declare_parameter(spec.name, value, _descriptor(spec), ignore_override=True)
    _tell_unknown(node)
    if wrong:
        raise ParameterError('; '.join(wrong))
    node.add_on_set_parameters_callback(_validate)
    if hasattr(node, 'add_pre_set_parameters_callback'):  # not in Humble
        node.add_pre_set_parameters_callback(_with_types)


def _descriptor(spec: Spec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=spec.description)
    if spec.when == 'start':
        descriptor.read_only = True
    if spec.choices:
        descriptor.additional_constraints = f"one of {', '.join(spec.choices)}"
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=spec.low, to_value=spec.high)]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high))]
    return descriptor


def _tell_unknown(node: Node) -> None:
    """Warn of what is misspelt: ROS 2 ignores it without a word."""
    # Private, but the same in all distributions; without it there is no warning.
    given = getattr(node, '_parameter_overrides', {})
    names = [spec.name for spec in PARAMETERS]
    unknown = []
    for name in given:
        if not node.has_parameter(name) and not name.startswith('qos_overrides.'):
            alike = get_close_matches(name, names, 1, 0.7)
            unknown.append(f'{name} (is {alike[0]} meant?)' if alike else name)
    if unknown:
        node.get_logger().warning(
            f"parameters that this node does not have are ignored: {', '.join(sorted(unknown))}")


def _with_types(parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
    """Make numbers of whole numbers where numbers belong."""
    made = []
    for parameter in parameters:
        try:
            made.append(Parameter(parameter.name, value=fitted(parameter.name, parameter.value)))
        except ParameterError:
            made.append(parameter)  # refused, with the reason, by what comes next
    return made


def _validate(parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
    """Answer a request to set parameters: all are good, or the first bad one is named."""
    for parameter in parameters:
        try:
            check(parameter.name, fitted(parameter.name, parameter.value))
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
