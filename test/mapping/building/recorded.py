# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot that drives along x, as bags hold it, and whether its map is right."""

import numpy as np
from street import S, STEP

T = 1_700_000_000 * S
N = 40
MS = 1_000_000
TF = {'tf_frames': ('map', 'base_link')}


def drive(period=20 * MS, until=N * STEP, speed=10.0):
    """Return (stamp, x in metres) of a robot that drives along x."""
    return [(T + t, t / S * speed) for t in range(0, until + 1, period)]


def right(table, wanted=N, first=0, offset=0.0, within=1e-3):
    """Check that frames became places where the robot was."""
    assert len(table) == wanted
    assert np.array_equal(table.stamps, T + STEP * np.arange(first, first + wanted))
    where = (table.stamps - T) / S * 10.0
    assert np.allclose(table.positions[:, 0], where + offset, atol=within)
    assert np.allclose(table.positions[:, 1:], 0, atol=within)


def odometry(poses, topic='/odom', **more):
    return [(stamp, 'odometry', {'stamp': stamp, 'x': x, 'topic': topic, **more})
            for stamp, x in poses]


def another(poses):
    return [(stamp, -50.0 - x) for stamp, x in poses]


def fixes(poses, altitude=400.0):
    degrees = np.degrees(1 / 6378137.0)  # of a metre along the equator
    return [(stamp, 'fix', {'stamp': stamp, 'latitude': 0.0, 'longitude': 8 + x * degrees,
                            'altitude': altitude}) for stamp, x in poses]
