# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands in the messages that hold poses."""

from __future__ import annotations

from typing import Any

from tetra_vpr_ros.mapping.pose import says_lost
from tetra_vpr_ros.mapping.sources.pose_track import LATEST

FIX_TYPE = 'sensor_msgs/msg/NavSatFix'
PATH_TYPE = 'nav_msgs/msg/Path'
POSE_TYPES = ('nav_msgs/msg/Odometry', 'geometry_msgs/msg/PoseStamped',
              'geometry_msgs/msg/PoseWithCovarianceStamped',
              'geometry_msgs/msg/TransformStamped', FIX_TYPE)
"""Types whose messages are a pose each; a topic of them may be found by its type."""

# Not STATUS_UNKNOWN, -2: what a driver leaves unset is that since Jazzy.
_NO_FIX = -1

Row = tuple[float, ...]


def stamp_of(message: Any, received: int) -> int:
    """
    Return the header's stamp; the time of recording where a driver left it zero.

    :raises ValueError: it is no time that a map can hold.
    """
    stamp = message.header.stamp
    nanoseconds = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec) or received
    if abs(nanoseconds) > LATEST:
        raise ValueError(f'its stamp is {nanoseconds} ns')
    return nanoseconds


def fix_row(message: Any) -> tuple[Row, bool]:
    """Return latitude, longitude and altitude, and whether the receiver says it has no fix."""
    return ((float(message.latitude), float(message.longitude), float(message.altitude)),
            message.status.status == _NO_FIX)


def pose_row(message: Any) -> tuple[Row, bool]:
    """Return the pose of a message, and whether it says that it is not known."""
    if hasattr(message, 'transform'):
        return transform_row(message), False
    pose, lost = message.pose, False
    while not hasattr(pose, 'position'):  # PoseWithCovariance wraps a Pose
        lost = lost or says_lost(pose.covariance)
        pose = pose.pose
    return _row(pose.position, pose.orientation), lost


def transform_row(item: Any) -> Row:
    """Return the transform of a ``TransformStamped``."""
    return _row(item.transform.translation, item.transform.rotation)


def path_rows(message: Any) -> list[tuple[int, Row]]:
    """
    Return stamps and poses of a ``nav_msgs/Path``.

    :raises ValueError: a pose has no stamp of its own, as those of a planner.
    """
    rows = [(stamp_of(pose, 0), pose_row(pose)[0]) for pose in message.poses]
    stamps = {stamp for stamp, _ in rows}
    if 0 in stamps or len(stamps) == 1 < len(rows):
        raise ValueError('its poses have no stamps of their own: it is a plan, not a trajectory')
    return rows


def _row(place: Any, turn: Any) -> Row:
    return (float(place.x), float(place.y), float(place.z),
            float(turn.x), float(turn.y), float(turn.z), float(turn.w))
