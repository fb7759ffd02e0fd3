# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Play the images of a bag; a process of its own, as a camera driver is."""

import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from tetra_vpr_ros.mapping import BagSource


def main(path, topic, transport, rate, every):
    rclpy.init()
    node = rclpy.create_node('player')
    raw = transport == 'raw'
    publisher = node.create_publisher(
        Image if raw else CompressedImage, topic, qos_profile_sensor_data)
    deadline = time.monotonic() + 30
    while publisher.get_subscription_count() == 0:
        assert time.monotonic() < deadline, f'nobody listens to {topic}'
        rclpy.spin_once(node, timeout_sec=0.05)
    time.sleep(0.3)
    sent = 0
    with BagSource(path) as bag:
        for i, frame in enumerate(bag.images(bag.find_image_topic())):
            if i % every:
                continue
            message = Image() if raw else CompressedImage(format='jpeg')
            message.header.stamp.sec = frame.stamp_ns // 10**9
            message.header.stamp.nanosec = frame.stamp_ns % 10**9
            if raw:
                image = frame.decode()
                message.height, message.width, message.encoding = *image.shape[:2], 'rgb8'
                message.step = image.shape[1] * 3
                message.data = image.tobytes()
            else:
                message.data = frame.message.data.tobytes()
            publisher.publish(message)
            sent += 1
            time.sleep(1 / rate)
    time.sleep(1.0)
    print(sent)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
