# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and estimates to messages."""

from __future__ import annotations

from collections.abc import Iterable

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image, NavSatFix, NavSatStatus
from std_msgs.msg import Header
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.mapping.pose import FARTHEST, Pose
from tetra_vpr_ros.vision import decode_message


def image_from_message(message: CompressedImage | Image, least: int = 0) -> NDArray[np.uint8]:
    """
    Decode a camera message to RGB uint8 ``[H, W, 3]``, as the builder of maps does.

    :param least: pixels along the shorter side that will do, see `decode_compressed`.
    :raises ImageError: the message holds no valid picture; the text says why.
    """
    return decode_message(message, least)


def pose_message(pose: Pose) -> PoseMessage:
    """Convert a pose."""
    message = PoseMessage()
    message.position.x, message.position.y, message.position.z = (
        float(v) for v in pose.position)
    o = message.orientation
    o.x, o.y, o.z, o.w = (float(v) for v in pose.quaternion / np.linalg.norm(pose.quaternion))
    return message


def match_message(estimate: Estimate, frame_id: str, stamp: Time) -> PoseWithCovarianceStamped:
    """Convert an estimate that has a pose."""
    assert estimate.pose is not None
    message = PoseWithCovarianceStamped(header=Header(frame_id=frame_id, stamp=stamp))
    message.pose.pose = pose_message(estimate.pose)
    message.pose.covariance = [float(v) for v in estimate.covariance.ravel()]
    return message


def initial_pose_message(estimate: Estimate, frame_id: str, stamp: Time
                         ) -> PoseWithCovarianceStamped:
    """
    Convert an estimate that has a pose to what Nav2's AMCL accepts.

    Nav2 refuses negative entries anywhere in the covariance: only the variances go out.
    """
    message = match_message(estimate, frame_id, stamp)
    message.pose.covariance = [
        float(v) for v in np.diag(np.diag(estimate.covariance)).ravel()]
    return message


def fix_message(estimate: Estimate, frame_id: str, stamp: Time) -> NavSatFix | None:
    """Convert an estimate of a geo-tagged map; None where the map is not."""
    if estimate.pose is None or estimate.pose.geodetic is None:
        return None
    message = NavSatFix(header=Header(frame_id=frame_id, stamp=stamp))
    message.status.status = NavSatStatus.STATUS_FIX
    message.latitude, message.longitude, message.altitude = estimate.pose.geodetic
    # The map frame of a geo-tagged map is east-north-up, as the message wants it.
    message.position_covariance = [float(v) for v in estimate.covariance[:3, :3].ravel()]
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_KNOWN
    return message


def pose_from_message(message: PoseMessage) -> Pose | None:
    """Convert a pose; None where it is not on Earth or its quaternion has no length."""
    p, o = message.position, message.orientation
    position, quaternion = np.array([p.x, p.y, p.z]), np.array([o.x, o.y, o.z, o.w])
    length = float(np.linalg.norm(quaternion))
    near = (np.abs(position) <= FARTHEST).all()  # NaN is not, nor what others send for "unknown"
    if not (near and np.isfinite(length) and length > 1e-6):
        return None
    return Pose(position, quaternion / length)


def nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def candidates_message(estimate: Estimate, frame_id: str, stamp: Time) -> PoseArray:
    """Convert the candidates, best first."""
    return PoseArray(header=Header(frame_id=frame_id, stamp=stamp),
                     poses=[pose_message(c.pose) for c in estimate.candidates])


def status_message(level: int, name: str, text: str,
                   values: Iterable[tuple[str, object]]) -> DiagnosticStatus:
    """Build a diagnostic status."""
    return DiagnosticStatus(
        level=bytes([level]), name=name, message=text, hardware_id='',
        values=[KeyValue(key=key, value=str(value)) for key, value in values])


def picture_message(jpeg: bytes, stamp: Time) -> CompressedImage:
    """Wrap a JPEG."""
    return CompressedImage(header=Header(stamp=stamp), format='jpeg', data=jpeg)
