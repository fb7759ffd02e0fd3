# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Packages that are only needed where a parameter asks for them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingPackageError(RuntimeError):
    """A package is missing where a parameter asks for it; the text says which."""


def package_for(parameter: str, module: str, apt: str) -> Any:
    """
    Import what a parameter asks for.

    :param parameter: its name.
    :param module: to import.
    :param apt: name of the package that holds it, after ``ros-$ROS_DISTRO-``.
    :raises MissingPackageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f'the parameter {parameter!r} needs {module}, which is not installed: '
            f'sudo apt install ros-$ROS_DISTRO-{apt}') from error
