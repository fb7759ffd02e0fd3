# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a command line says of bags: the same for every command that reads one."""

from __future__ import annotations

import argparse
from typing import Any

from tetra_vpr_ros.mapping.sources.bag_traverse import HEADER, IMAGE_TIMES

_LONGEST = 1e6  # seconds


def add_bag_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what of a bag is to be read; see `bag_options`."""
    add = parser.add_argument
    add('--image-topic', help='camera topic of a bag; found by type when there is just one')
    add('--pose-topic', help='Odometry, PoseStamped, PoseWithCovarianceStamped, '
        'TransformStamped or NavSatFix topic, found by type when there is just one; or a Path')
    add('--tf-frames', nargs=2, metavar=('PARENT', 'CHILD'),
        help='take the poses from /tf instead, for example: map base_link')
    add('--tf-topic', metavar='TOPIC',
        help="topic of those transforms (default: that of the camera's namespace)")
    add('--image-time', choices=IMAGE_TIMES, default=HEADER,
        help='time of an image: of its header, or when the recorder received it, for a camera '
        'whose clock is another (default: %(default)s)')
    add_max_pose_gap(parser)


def add_max_pose_gap(parser: argparse.ArgumentParser) -> None:
    """Add how far apart poses may be, in seconds."""
    parser.add_argument(
        '--max-pose-gap', type=_seconds, metavar='S',
        help='seconds between two poses that may be interpolated (default: 0.5, or two and a '
        'half times what usually lies between them, up to 5)')


def bag_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_bag_arguments` has read, as `BuildOptions` calls it."""
    return {'image_topic': options.image_topic, 'pose_topic': options.pose_topic,
            'tf_frames': tuple(options.tf_frames) if options.tf_frames else None,
            'tf_topic': options.tf_topic, 'image_time': options.image_time,
            'max_pose_gap': options.max_pose_gap}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f'it must be seconds, not negative and at most {_LONGEST:g}, not {text!r}')
    return seconds
