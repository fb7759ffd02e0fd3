# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The bond by which Nav2's lifecycle manager notices that a node died."""

from __future__ import annotations

from rclpy.node import Node
from tetra_vpr_ros.nodes.localizer.optional import package_for

_TOPIC, _HEARTBEAT, _TIMEOUT = 'bond', 0.1, 4.0  # as all nodes of Nav2 have it
_DECLARED = ('bond_disable_heartbeat_timeout', '/bond_disable_heartbeat_timeout')


class ManagerBond:
    """
    A bond with the manager, from the moment it is made until `destroy`.

    :param node: that is managed; the manager knows the bond by its name.
    :raises MissingPackageError: bondpy is not installed.
    """

    def __init__(self, node: Node) -> None:
        """Begin to say that the node lives."""
        self._node = node
        self._bond = package_for('bond', 'bondpy.bondpy', 'bondpy').Bond(
            topic=_TOPIC, id=node.get_name(), node=node)
        self._bond.heartbeat_period = _HEARTBEAT
        self._bond.heartbeat_timeout = _TIMEOUT
        self._bond.start()

    def destroy(self) -> None:
        """Tell the manager that it ends by intention, and leave nothing on the graph."""
        self._bond.shutdown()
        # bondpy destroys them behind the node's back, which would keep them on its lists.
        self._node.destroy_subscription(self._bond.sub)
        self._node.destroy_publisher(self._bond.pub)
        # It declares this whenever a manager is lost, and fails where it did so before.
        for name in _DECLARED:
            if self._node.has_parameter(name):
                self._node.undeclare_parameter(name)
