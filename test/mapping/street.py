# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames with poses to a bag: camera, odometry and transforms."""

from bag_factory import BagFactory

S = 1_000_000_000
STEP = S // 10  # ns between two frames of a drive


def write_street(path, frames, storage='mcap'):
    """Write (stamp, x in metres, image) of each frame."""
    with BagFactory(path, storage) as bag:
        for stamp, x, image in frames:
            bag.odometry(stamp, x)
            bag.transform(stamp, 'map', 'base_link', x)
            bag.jpeg(stamp, image)


def write_recording(path, events, storage='mcap'):
    """
    Write messages as a recorder does: in the order in which they came.

    :param events: when each was received, the method of `BagFactory`, and its arguments.
    """
    with BagFactory(path, storage) as bag:
        for _, write, arguments in sorted(events, key=lambda event: event[0]):
            getattr(bag, write)(**arguments)


def camera(start, images, topic='/camera/image_raw/compressed', delay=60_000_000, clock=0,
           **more):
    """Return the events of a camera: its images come late, dated by its own clock."""
    stamps = [start + i * STEP for i in range(len(images))]
    return [(stamp + delay, 'jpeg', {
        'stamp': stamp, 'received': stamp + delay, 'image': image, 'topic': topic,
        'header_stamp': stamp + clock, **more}) for stamp, image in zip(stamps, images)]


def transforms(parent, child, poses, delay=50_000_000, ahead=0, topic='/tf'):
    """Return the events of an edge: (stamp, x) each, dated ahead, and recorded late."""
    return [(stamp + delay, 'transform', {
        'stamp': stamp + ahead, 'received': stamp + delay, 'parent': parent, 'child': child,
        'x': x, 'topic': topic}) for stamp, x in poses]
