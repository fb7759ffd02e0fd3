# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a transition is told: rclpy swallows what its callbacks raise."""

from __future__ import annotations

from collections.abc import Callable
import functools
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.nodes.localizer.optional import MissingPackageError
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError
from tetra_vpr_ros.vision import ModelError

_TOLD = (MapError, MissingPackageError, ModelError, ParameterError)  # texts for the user
_Callback = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def told(verb: str, failed: TransitionCallbackReturn, undo: Callable[[Any], None]
         ) -> Callable[[_Callback], _Callback]:
    """
    Decorate a transition's callback: what it raises becomes one line of the log.

    :param verb: what cannot be done then.
    :param failed: what the callback returns then.
    :param undo: called then with the node, to let go of what was made by half.
    """
    def decorate(callback: _Callback) -> _Callback:
        @functools.wraps(callback)
        def guarded(node: Any, state: LifecycleState) -> TransitionCallbackReturn:
            try:
                return callback(node, state)
            except Exception as error:
                node.get_logger().error(f'cannot {verb}: {reason(error)}')
                node.get_logger().debug(traceback.format_exc())
            try:
                undo(node)
            except Exception as error:
                node.get_logger().error(f'cannot {verb}, nor undo it: {reason(error)}')
            return failed
        return guarded
    return decorate


def reason(error: Exception) -> str:
    """Return an error as one line; one that nobody has foreseen with its class."""
    line = ' '.join(str(error).split())
    return line if isinstance(error, _TOLD) else f'{type(error).__name__}: {line}'
