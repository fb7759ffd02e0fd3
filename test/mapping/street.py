# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames with poses to a bag: camera, odometry and transforms."""

from bag_factory import BagFactory


def write_street(path, frames, storage='mcap'):
    """Write (stamp, x in metres, image) of each frame."""
    with BagFactory(path, storage) as bag:
        for stamp, x, image in frames:
            bag.odometry(stamp, x)
            bag.transform(stamp, 'map', 'base_link', x)
            bag.jpeg(stamp, image)
