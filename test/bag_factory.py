# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small bags of any message type, for tests."""

from __future__ import annotations

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from scipy.spatial.transform import Rotation


class BagFactory:
    """Writes messages of plain values to a ROS 1 or ROS 2 bag."""

    def __init__(self, path, storage='mcap', compression=None):
        self.ros1 = storage == 'ros1'
        self.store = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_JAZZY)
        self.t = self.store.types
        if self.ros1:
            self.writer = Writer1(path)
        else:
            plugin = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}[storage]
            self.writer = Writer(path, version=9, storage_plugin=plugin)
            if compression:
                self.writer.set_compression(*compression)
        self.connections = {}

    def __enter__(self):
        self.writer.open()
        return self

    def __exit__(self, *_):
        self.writer.close()

    def write(self, topic, kind, stamp, message):
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(
                topic, kind, typestore=self.store)
        serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        self.writer.write(self.connections[topic], stamp, bytes(serialize(message, kind)))

    def unknown(self, stamp, topic, kind):
        """Write a message of a type that no other program knows."""
        own = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_JAZZY)
        own.register(get_types_from_msg('float32[] ranges\nuint8 quality\n', kind))
        message = own.types[kind](ranges=np.zeros(3, np.float32), quality=1)
        store, self.store = self.store, own
        self.write(topic, kind, stamp, message)
        self.store = store

    def header(self, stamp, frame='map'):
        time = self.t['builtin_interfaces/msg/Time'](sec=stamp // 10**9, nanosec=stamp % 10**9)
        extra = {'seq': 0} if self.ros1 else {}
        return self.t['std_msgs/msg/Header'](stamp=time, frame_id=frame, **extra)

    def pose(self, x, y=0.0, yaw=0.0):
        q = Rotation.from_euler('z', [[yaw]]).as_quat()[0]
        return self.t['geometry_msgs/msg/Pose'](
            position=self.t['geometry_msgs/msg/Point'](x=x, y=y, z=0.0),
            orientation=self.t['geometry_msgs/msg/Quaternion'](x=q[0], y=q[1], z=q[2], w=q[3]))

    def odometry(self, stamp, x, y=0.0, yaw=0.0, topic='/odom', received=None, turn=None,
                 variance=0.0, frame='odom'):
        """Write odometry; ``turn`` is a quaternion that may be none, ``variance`` on each axis."""
        pose = self.pose(x, y, yaw)
        if turn is not None:
            pose.orientation = self.t['geometry_msgs/msg/Quaternion'](*turn)
        zero = self.t['geometry_msgs/msg/Vector3'](x=0.0, y=0.0, z=0.0)
        kind = 'nav_msgs/msg/Odometry'
        self.write(topic, kind, received or stamp, self.t[kind](
            header=self.header(stamp, frame), child_frame_id='base_link',
            pose=self.t['geometry_msgs/msg/PoseWithCovariance'](
                pose=pose, covariance=(variance * np.eye(6)).ravel()),
            twist=self.t['geometry_msgs/msg/TwistWithCovariance'](
                twist=self.t['geometry_msgs/msg/Twist'](linear=zero, angular=zero),
                covariance=np.zeros(36))))

    def pose_stamped(self, stamp, x, topic='/pose'):
        self.write(topic, 'geometry_msgs/msg/PoseStamped', stamp,
                   self.t['geometry_msgs/msg/PoseStamped'](
                       header=self.header(stamp), pose=self.pose(x)))

    def pose_with_covariance(self, stamp, x, topic='/amcl_pose'):
        kind = 'geometry_msgs/msg/PoseWithCovarianceStamped'
        self.write(topic, kind, stamp, self.t[kind](
            header=self.header(stamp), pose=self.t['geometry_msgs/msg/PoseWithCovariance'](
                pose=self.pose(x), covariance=np.zeros(36))))

    def fix(self, stamp, latitude, longitude, altitude=0.0, status=0, topic='/fix'):
        kind = 'sensor_msgs/msg/NavSatFix'
        self.write(topic, kind, stamp, self.t[kind](
            header=self.header(stamp), status=self.t['sensor_msgs/msg/NavSatStatus'](
                status=status, service=1),
            latitude=latitude, longitude=longitude, altitude=altitude,
            position_covariance=np.zeros(9), position_covariance_type=0))

    def transform_stamped(self, stamp, parent, child, x, turn=None):
        """Return the message; ``turn`` is a quaternion that may be none."""
        quaternion = self.t['geometry_msgs/msg/Quaternion'](*(turn or (0.0, 0.0, 0.0, 1.0)))
        return self.t['geometry_msgs/msg/TransformStamped'](
            header=self.header(stamp, parent), child_frame_id=child,
            transform=self.t['geometry_msgs/msg/Transform'](
                translation=self.t['geometry_msgs/msg/Vector3'](x=x, y=0.0, z=0.0),
                rotation=quaternion))

    def transform(self, stamp, parent, child, x, topic='/tf', received=None, turn=None):
        self.write(topic, 'tf2_msgs/msg/TFMessage', received or stamp,
                   self.t['tf2_msgs/msg/TFMessage'](
                       transforms=[self.transform_stamped(stamp, parent, child, x, turn)]))

    def motion_capture(self, stamp, x, topic='/vicon/robot/robot', received=None):
        self.write(topic, 'geometry_msgs/msg/TransformStamped', received or stamp,
                   self.transform_stamped(stamp, '/vicon/world', 'vicon/robot/robot', x))

    def path(self, received, poses, topic='/trajectory', kind='nav_msgs/msg/Path'):
        """Write (stamp, x) of each pose; an array of poses has no stamps."""
        if kind == 'nav_msgs/msg/Path':
            poses = [self.t['geometry_msgs/msg/PoseStamped'](
                header=self.header(stamp), pose=self.pose(x)) for stamp, x in poses]
        else:
            poses = [self.pose(x) for _, x in poses]
        self.write(topic, kind, received, self.t[kind](header=self.header(received), poses=poses))

    def jpeg(self, stamp, image, topic='/camera/compressed', header_stamp=None, data=None,
             received=None, form='jpeg'):
        if data is None:
            data = cv2.imencode('.jpg', image[:, :, ::-1])[1].tobytes()
        kind = 'sensor_msgs/msg/CompressedImage'
        self.write(topic, kind, received or stamp, self.t[kind](
            header=self.header(stamp if header_stamp is None else header_stamp),
            format=form, data=np.frombuffer(data, np.uint8)))

    def camera_info(self, stamp, width, height, focal, topic='/camera/camera_info',
                    model='plumb_bob', rectified=0.0):
        kind = 'sensor_msgs/msg/CameraInfo'
        k = np.array([focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1 if focal else 0], float)
        p = np.array([rectified, 0, width / 2, 0, 0, rectified, height / 2, 0, 0, 0, 1, 0], float)
        names = ('D', 'K', 'R', 'P') if self.ros1 else ('d', 'k', 'r', 'p')
        matrices = dict(zip(names, (np.zeros(5), k, np.eye(3).ravel(), p)))
        self.write(topic, kind, stamp, self.t[kind](
            header=self.header(stamp, 'camera'), height=height, width=width,
            distortion_model=model, binning_x=0, binning_y=0,
            roi=self.t['sensor_msgs/msg/RegionOfInterest'](
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False), **matrices))

    def image(self, stamp, image, topic='/camera/image_raw', encoding='rgb8', height=None):
        kind = 'sensor_msgs/msg/Image'
        self.write(topic, kind, stamp, self.t[kind](
            header=self.header(stamp), height=height or image.shape[0], width=image.shape[1],
            encoding=encoding, is_bigendian=0, step=image.strides[0],
            data=np.ascontiguousarray(image).reshape(-1).view(np.uint8)))
