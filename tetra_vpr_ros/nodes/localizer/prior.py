# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses to start from."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from rclpy.node import Node
from tetra_vpr_ros.nodes.localizer.conversions import pose_from_message
from tetra_vpr_ros.nodes.localizer.loading import Loaded


def take_prior(message: PoseWithCovarianceStamped, loaded: Loaded, node: Node) -> None:
    """Start the belief from a pose that somebody knows roughly; say why when it cannot be."""
    frame = message.header.frame_id
    if loaded.outputs.is_own_initial_pose(message):
        return
    pose = pose_from_message(message.pose.pose)
    covariance = np.array(message.pose.covariance, float).reshape(6, 6)
    if frame != loaded.outputs.frame_id:
        node.get_logger().warning('a pose to start from is ignored: it must be in frame '
                                  f'{loaded.outputs.frame_id!r}, not {frame!r}')
    elif pose is None or not np.isfinite(covariance).all():
        node.get_logger().warning('a pose to start from is ignored: its position and covariance '
                                  'must be finite, its orientation a quaternion that is not zero')
    elif loaded.options.name == 'single':
        node.get_logger().warning("a pose to start from is ignored: filter 'single' takes each "
                                  "frame by itself and keeps no belief; 'bayes' does")
    elif loaded.shared.set_prior(pose, covariance):
        x, y, _ = pose.position
        node.get_logger().info(f'the belief starts about x {x:.2f} m, y {y:.2f} m')
    else:
        node.get_logger().warning('a pose to start from is ignored: the headings of the '
                                  'cameras are not known yet')
