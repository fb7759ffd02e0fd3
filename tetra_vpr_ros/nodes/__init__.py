# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: the only room that imports rclpy."""
