# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot whose camera takes the next picture when the last one was answered."""

import math

from nav_msgs.msg import Odometry
from probe import Probe
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tetra_vpr_ros.mapping import BagSource


def stamped(message, stamp_ns, frame=''):
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = frame
    return message


def image_message(image):
    message = Image(height=image.shape[0], width=image.shape[1], encoding='rgb8',
                    step=image.shape[1] * 3)
    message.data = image.tobytes()
    return message


class Robot:
    """Publishes the drive's frames, and odometry in a frame of its own."""

    def __init__(self, probe: Probe, drive, topic='/cam', frame='camera', intrinsics=None):
        self.probe, self.drive, self.frame = probe, drive, frame
        self.images = probe.publisher(Image, topic)
        self.odom = probe.publisher(Odometry, '/odom')
        self._odometry_sent = -1
        self._intrinsics = intrinsics
        if intrinsics is not None:
            self.info = probe.publisher(CameraInfo, f"{topic.rpartition('/')[0]}/camera_info")

    def wait(self, localizer):
        """Wait until the localizer hears this camera and all that it says is heard."""
        publishers = [self.images] if self._intrinsics is None else [self.images, self.info]
        assert self.probe.spin(lambda: self.probe.received['/vpr/status'] and all(
            publisher.get_subscription_count() for publisher in publishers)), localizer.log

    def publish(self, index):
        """Publish a frame and return its stamp; nobody waits for the answer."""
        stamp_ns, _, image = self.drive[index]
        if self._intrinsics is not None:
            info = CameraInfo(height=image.shape[0], width=image.shape[1], k=self._intrinsics)
            self.info.publish(stamped(info, stamp_ns, self.frame))
        self.images.publish(stamped(image_message(image), stamp_ns, self.frame))
        return stamp_ns

    def show(self, indices, odometry=False):
        """Publish frames, each when the one before was answered."""
        for index in indices:
            if odometry:  # it is ahead of the pictures, as wheels are
                self._publish_odometry(min(index + 1, len(self.drive) - 1))
            assert self.probe.answered(self.publish(index)), f'frame {index} has no answer'

    def _publish_odometry(self, last):
        for index in range(max(self._odometry_sent + 1, last - 1), last + 1):
            stamp_ns, pose, _ = self.drive[index]
            message = stamped(Odometry(), stamp_ns, 'odom')
            # The odometry frame is 100 m east of the map's, and turned by 90 degrees.
            message.pose.pose.position.x = -pose.y
            message.pose.pose.position.y = pose.x - 100.0
            yaw = pose.yaw + math.pi / 2
            message.pose.pose.orientation.z = math.sin(yaw / 2)
            message.pose.pose.orientation.w = math.cos(yaw / 2)
            self.odom.publish(message)
            self._odometry_sent = index


def play(probe, localizer, bag, topic, transport, every):
    """Play each n-th image of a bag; return how many were sent, all of them answered."""
    raw, sent = transport == 'raw', 0
    publisher = probe.publisher(Image if raw else CompressedImage, topic)
    assert probe.spin(lambda: probe.received['/vpr/status']
                      and publisher.get_subscription_count()), localizer.log
    with BagSource(bag) as source:
        for i, frame in enumerate(source.images(source.find_image_topic())):
            if i % every == 0:
                message = image_message(frame.decode()) if raw else CompressedImage(
                    format='jpeg', data=frame.message.data.tobytes())
                publisher.publish(stamped(message, frame.stamp_ns))
                assert probe.answered(frame.stamp_ns), localizer.log
                sent += 1
    return sent
