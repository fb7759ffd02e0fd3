# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for tf2_ros, which is not on PyPI: its topics as they are, transforms from a file."""

import json
import os

from std_msgs.msg import String


class TransformException(Exception):
    pass


class TransformBroadcaster:
    """Publishes as the real one does; each transform is written to a file, too."""

    def __init__(self, node):
        self.pub_tf = node.create_publisher(String, '/tf', 100)

    def sendTransform(self, t):
        p, r, stamp = t.transform.translation, t.transform.rotation, t.header.stamp
        with open(os.environ['FAKE_TF'] + '.sent', 'a') as file:
            file.write(json.dumps([t.header.frame_id, t.child_frame_id, p.x, p.y, p.z,
                                   r.x, r.y, r.z, r.w, stamp.sec * 10**9 + stamp.nanosec]) + '\n')


class TransformListener:

    def __init__(self, buffer, node):
        self.node = node
        self.tf_sub = node.create_subscription(String, '/tf', self._hear, 100)
        self.tf_static_sub = node.create_subscription(String, '/tf_static', self._hear, 100)

    def _hear(self, message):
        pass

    def unregister(self):
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)


class Buffer:

    def lookup_transform(self, target, source, time):
        from geometry_msgs.msg import TransformStamped
        with open(os.environ['FAKE_TF']) as file:
            known = json.load(file)
        if source not in known:
            raise TransformException(f'{source} does not exist')
        found = TransformStamped()
        r = found.transform.rotation
        r.x, r.y, r.z, r.w = known[source]
        return found
