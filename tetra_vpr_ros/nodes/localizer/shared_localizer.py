# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The localizer behind a lock: the worker asks it, services and topics change its belief."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
import threading

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from tetra_vpr_ros.localization import Estimate, Localizer, View
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.mapping.pose import Pose

_JUMP_BACK_NS = 1_000_000_000  # stamps that go back further than this are late, or began anew
_STAYS = 3  # frames of a camera in a row, from which on time has begun anew


class LateFrameError(ValueError):
    """A frame of a moment that is long over; the text says by how much."""


class SharedLocalizer:
    """
    A localizer that the worker's and the executor's threads use.

    :param localizer: None until the headings of all cameras are known.
    :param node: for its log.
    """

    def __init__(self, localizer: Localizer | None, node: Node) -> None:
        """Keep both."""
        self.localizer = localizer
        self._node = node
        self._lock = threading.Lock()
        self._last_stamps: dict[int, int] = {}  # by camera
        self._late: Counter[int] = Counter()  # frames in a row that were, by camera
        self._forgotten = 0  # how often: an estimate from before answers no later question

    def begin_anew(self) -> None:
        """Forget the belief and what time it is."""
        with self._lock:
            if self.localizer is not None:
                self.localizer.reset()
            self._forget_time()

    def forget(self) -> int:
        """Forget the belief; return how often that was asked for."""
        with self._lock:
            if self.localizer is not None:
                self.localizer.reset()
            self._forgotten += 1
            self._forget_time()
            return self._forgotten

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> bool:
        """
        Start the belief from a pose that somebody knows roughly.

        :param covariance: float64 ``[6, 6]``, in REP-103 order.
        :returns: whether there is a localizer yet.
        """
        if self.localizer is None:
            return False
        with self._lock:
            self.localizer.set_prior(pose, covariance)
            # It holds from now on, at whatever time frames will say that this is.
            self._forget_time()
        return True

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None,
               false_match_rate: float, candidates: int) -> tuple[Estimate, int]:
        """
        Ask where the views were taken; see `Localizer`.

        :returns: the estimate, and how often the belief had been forgotten before it.
        :raises LateFrameError: the newest view came late, and nothing was made of any.
        """
        assert self.localizer is not None
        with self._lock:
            self._watch_time(stamp_ns, views[-1].camera)
            self.localizer.false_match_rate = false_match_rate
            self.localizer.candidates = candidates
            return self.localizer.locate(views, stamp_ns, odometry), self._forgotten

    def believed(self) -> Believed | None:
        """Return the belief of now; None where none is kept."""
        with self._lock:
            return self.localizer.believed() if self.localizer is not None else None

    def _forget_time(self) -> None:
        self._last_stamps = {}
        self._late.clear()

    def _watch_time(self, stamp_ns: int, camera: int) -> None:
        """
        Forget the belief when time begins anew: a simulation or a bag was restarted.

        :param stamp_ns: of the newest view.
        :param camera: that took it; each has a time of its own, should their clocks differ.
        :raises LateFrameError: it is one of a few that came late, from a busy network for example.
        """
        assert self.localizer is not None
        back_ns = self._last_stamps.get(camera, 0) - stamp_ns
        if back_ns > _JUMP_BACK_NS:
            self._late[camera] += 1
            if self._late[camera] < _STAYS:
                raise LateFrameError(f'it is {back_ns * 1e-9:.1f} s older than the one before')
            self._node.get_logger().warning(
                f'time jumped back by {back_ns * 1e-9:.1f} s: the belief is forgotten')
            self.localizer.reset()
            self._forget_time()
        self._late[camera] = 0
        self._last_stamps[camera] = max(self._last_stamps.get(camera, 0), stamp_ns)
        behind_ns = max(self._last_stamps.values()) - stamp_ns
        if behind_ns > _JUMP_BACK_NS:
            # Other topics may have been set by now, for the next activation.
            topics = self._node.get_parameter('image_topics').value
            name = topics[camera] if camera < len(topics) else f'camera {camera}'
            self._node.get_logger().warning(
                f'{name}: its stamps are {behind_ns * 1e-9:.1f} s behind those of another '
                'camera: are their clocks the same?', throttle_duration_sec=10.0)
