# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The robot's second lap: publishes live camera frames; a process of its own."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
import time

from geometry_msgs.msg import PoseArray
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from sensor_msgs.msg import Image
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.level import Pose2D
from tetra_vpr_ros.simulation.world import DoomWorld
from tqdm import tqdm


class Answers:
    """
    Hears which frames the localizer has worked on.

    :param node: to listen with.
    """

    def __init__(self, node: Node) -> None:
        """Begin to listen."""
        self._node, self._stamps = node, set[int]()
        node.create_subscription(PoseArray, '/vpr/candidates', self._hear, QoSProfile(depth=100))

    def _hear(self, message: PoseArray) -> None:
        self._stamps.add(nanoseconds(message.header.stamp))

    def wait(self, stamp_ns: int, seconds: float) -> None:
        """
        Wait for the answer to a frame.

        :raises SystemExit: it does not come in time.
        """
        deadline = time.monotonic() + seconds
        while stamp_ns not in self._stamps:
            if time.monotonic() > deadline:
                raise SystemExit(f'no answer to a frame within {seconds:g} s')
            rclpy.spin_once(self._node, timeout_sec=0.1)


def main() -> None:
    """Publish one frame of each pose at a steady rate and write down where it was taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--poses', type=Path, required=True, help='JSON list of [x, y, yaw]')
    parser.add_argument('--truth', type=Path, required=True, help='CSV to write')
    parser.add_argument('--level', required=True)
    parser.add_argument('--topic', default='/camera/image_raw')
    parser.add_argument('--rate', type=float, default=10.0)
    parser.add_argument('--wait', type=float, default=30.0, help='for a subscriber, seconds')
    parser.add_argument('--in-step', action='store_true',
                        help='drive on when a frame was answered, not at the rate')
    args = parser.parse_args()
    poses = [Pose2D(*row) for row in json.loads(args.poses.read_text())]
    rng = np.random.default_rng(2)
    rclpy.init()
    node = rclpy.create_node('demo_camera')
    answers = Answers(node)
    publisher = node.create_publisher(
        Image, args.topic, QoSProfile(depth=10) if args.in_step else qos_profile_sensor_data)
    deadline = time.monotonic() + args.wait
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline:
            raise SystemExit(f'nobody subscribes to {args.topic}')
        rclpy.spin_once(node, timeout_sec=0.1)
    with DoomWorld(args.level) as world, args.truth.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['stamp_ns', 'x', 'y', 'yaw'])
        begin = time.monotonic()
        for i, pose in enumerate(tqdm(poses, desc='second lap', unit='frame')):
            image, stood = world.look(pose)
            image = SECOND_LAP_CAMERA.apply(image, rng)
            if not args.in_step:
                time.sleep(max(0.0, begin + i / args.rate - time.monotonic()))
            message = Image(height=image.shape[0], width=image.shape[1], encoding='rgb8',
                            step=image.shape[1] * 3)
            message.header.frame_id = 'camera'
            message.header.stamp = node.get_clock().now().to_msg()
            message.data = image.tobytes()
            writer.writerow([nanoseconds(message.header.stamp), stood.x, stood.y, stood.yaw])
            publisher.publish(message)
            if args.in_step:
                answers.wait(nanoseconds(message.header.stamp), args.wait)
    time.sleep(1.0)  # let the last frames be taken
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
