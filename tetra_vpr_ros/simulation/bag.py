# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A drive as a real ROS 2 bag: camera, odometry and transforms."""

from __future__ import annotations

from collections.abc import Iterable
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
from tetra_vpr_ros.simulation.level import Pose2D

IMAGE_TOPIC = '/camera/image_raw/compressed'
ODOMETRY_TOPIC = '/odom'


def write_bag(path: Path, frames: Iterable[tuple[int, Pose2D, NDArray[np.uint8]]],
              mcap: bool = True, quality: int = 90) -> int:
    """
    Write a bag.

    :param path: folder to create; must not exist.
    :param frames: stamp (nanoseconds), pose and RGB uint8 ``[H, W, 3]`` of each.
    :param mcap: MCAP storage instead of sqlite3.
    :param quality: of the JPEG images.
    :returns: number of frames.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    t = store.types
    count = 0
    plugin = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        def connect(topic: str, kind: str) -> Any:
            return writer.add_connection(topic, kind, typestore=store)

        camera = connect(IMAGE_TOPIC, 'sensor_msgs/msg/CompressedImage')
        odometry = connect(ODOMETRY_TOPIC, 'nav_msgs/msg/Odometry')
        transforms = connect('/tf', 'tf2_msgs/msg/TFMessage')
        for stamp, pose, image in frames:
            def header(frame: str, stamp: int = stamp) -> Any:
                time = t['builtin_interfaces/msg/Time'](
                    sec=stamp // 10**9, nanosec=stamp % 10**9)
                return t['std_msgs/msg/Header'](stamp=time, frame_id=frame)

            def write(connection: Any, message: Any, stamp: int = stamp) -> None:
                writer.write(connection, stamp,
                             store.serialize_cdr(message, connection.msgtype))

            turn = t['geometry_msgs/msg/Quaternion'](
                x=0.0, y=0.0, z=math.sin(pose.yaw / 2), w=math.cos(pose.yaw / 2))
            point = t['geometry_msgs/msg/Point'](x=pose.x, y=pose.y, z=0.0)
            zero = t['geometry_msgs/msg/Vector3'](x=0.0, y=0.0, z=0.0)
            covariance = np.zeros(36)
            write(odometry, t['nav_msgs/msg/Odometry'](
                header=header('map'), child_frame_id='base_link',
                pose=t['geometry_msgs/msg/PoseWithCovariance'](
                    pose=t['geometry_msgs/msg/Pose'](position=point, orientation=turn),
                    covariance=covariance),
                twist=t['geometry_msgs/msg/TwistWithCovariance'](
                    twist=t['geometry_msgs/msg/Twist'](linear=zero, angular=zero),
                    covariance=covariance)))
            write(transforms, t['tf2_msgs/msg/TFMessage'](transforms=[
                t['geometry_msgs/msg/TransformStamped'](
                    header=header('map'), child_frame_id='base_link',
                    transform=t['geometry_msgs/msg/Transform'](
                        translation=t['geometry_msgs/msg/Vector3'](x=pose.x, y=pose.y, z=0.0),
                        rotation=turn))]))
            _, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                                   [cv2.IMWRITE_JPEG_QUALITY, quality])
            write(camera, t['sensor_msgs/msg/CompressedImage'](
                header=header('camera'), format='jpeg', data=data))
            count += 1
    return count
