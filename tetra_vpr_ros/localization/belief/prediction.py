# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where belief goes between two moments, and when odometry is listened to."""

from __future__ import annotations

import numpy as np
from tetra_vpr_ros.localization.belief.belief import PlaceBelief
from tetra_vpr_ros.mapping.motion import compose, motion_between, STILL
from tetra_vpr_ros.mapping.pose import Pose

_MOVED = 0.5               # places; shorter motions are kept until there are more
_SAME_VIEW = 0.3           # change of a view below which the robot has not gone far
_LEAP = 4.0                # places that it has not gone then
_EXPLAINED = 4.0           # places by the view that a place by odometry explains
_EXPLAINED_AT_LEAST = 4.0  # … and that a metre does: in a sparse map views change sooner
_UNEXPLAINED = 1.0         # … that it does not, from which it is not listened to
_CARRIED = 0.02            # share of such robots that were carried, the others see people


class Prediction:
    """
    Moves a belief on from moment to moment: by odometry, or as a walk where that does not tell.

    :param belief: that is moved.
    :ivar pending: motion that odometry has told and the belief has not made yet.
    """

    def __init__(self, belief: PlaceBelief) -> None:
        """Know no moment yet."""
        self._belief = belief
        self._last_stamp: int | None = None
        self._last_odometry: Pose | None = None
        self._unexplained = 0.0  # places that the view says have passed, and odometry not
        self.pending = STILL

    def move(self, stamp_ns: int, odometry: Pose | None, change: float, news: float) -> bool:
        """
        Move the belief on to a moment.

        :param stamp_ns: of it.
        :param odometry: pose in the odometry frame at that time, if known.
        :param change: of the views since the last moment, 0..1.
        :param news: how much of them is news, 0..1.
        :returns: False where nothing is known any more then.
        """
        last_stamp, last_odometry = self._last_stamp, self._last_odometry
        self._last_odometry = odometry
        self._last_stamp = stamp_ns if last_stamp is None else max(stamp_ns, last_stamp)
        if last_stamp is None:
            return True
        known = True
        doubted = self._unexplained >= _UNEXPLAINED
        motion = self._motion(last_odometry, odometry, change, news)
        if motion is None:
            self.pending = STILL
            begins = not doubted and self._unexplained >= _UNEXPLAINED
            known = self._belief.walk(max(0.0, (stamp_ns - last_stamp) * 1e-9), change, news**2,
                                      _CARRIED if begins else 0.0)
        else:
            self.pending = compose(self.pending, motion)
            way = self._belief.graph.way(self.pending)
            if way >= _MOVED:
                known = self._belief.drive(self.pending, way)
                self.pending = STILL
        return known

    def _motion(self, before: Pose | None, now: Pose | None, change: float, news: float
                ) -> Pose | None:
        """Return the motion between two moments; None where odometry does not tell it."""
        if before is None or now is None:
            return None
        motion = motion_between(before, now)
        way = self._belief.graph.way(motion)
        if change < _SAME_VIEW and way > _LEAP:
            return None  # odometry began anew: so far away a robot sees something else
        # Wheels do not turn where a robot is carried or towed; its view is another all the same.
        explained = max(_EXPLAINED * way,
                        _EXPLAINED_AT_LEAST * float(np.linalg.norm(motion.position)))
        self._unexplained = min(max(self._unexplained + news**2 - explained, 0.0),
                                2.0 * _UNEXPLAINED)
        return motion if self._unexplained < _UNEXPLAINED else None
