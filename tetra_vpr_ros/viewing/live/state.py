# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the live view shows, told by one thread and read by another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import threading
import time
from typing import Any, NamedTuple

from tetra_vpr_ros.viewing.live.moment import Moment

_KEPT = 600  # frames of the time line: a minute of ten a second


class Past(NamedTuple):
    """One frame of the time line: its number, how it went, how sure and how fast it was."""

    number: int
    state: str
    confidence: float | None
    latency_ms: float | None


class LiveState:
    """What there is to see, with the versions of its parts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._moment: Moment = {'state': 'no images', 'detail': 'nothing was heard yet'}
        self._past: deque[Past] = deque(maxlen=_KEPT)
        self._frames, self._newest = 0, 0.0
        self._picture, self._pictures = b'', 0
        self._plan: dict[str, Any] = {}
        self._plans = 0
        self._listeners: list[Callable[[], None]] = []

    def tell(self, news: Moment, frame: bool = False) -> None:
        """
        Take over what is new.

        :param news: the rest stays as it was.
        :param frame: a frame was worked on: it goes onto the time line.
        """
        with self._lock:
            self._moment = {**self._moment, **news}
            if frame:
                self._frames, self._newest = self._frames + 1, time.monotonic()
                now = self._moment
                self._past.append(Past(self._frames, now['state'], now.get('confidence'),
                                       now.get('latency_ms')))
        self._changed()

    def show(self, picture: bytes) -> None:
        """Take over a JPEG of the frame beside its place."""
        with self._lock:
            self._picture, self._pictures = picture, self._pictures + 1
        self._changed()

    def lay_out(self, plan: dict[str, Any]) -> None:
        """Take over the plan, see `plan`."""
        with self._lock:
            self._plan, self._plans = plan, self._plans + 1
        self._changed()

    def snapshot(self, since: int = 0) -> dict[str, Any]:
        """
        Return all that a page needs, but plan and picture, as JSON has it.

        :param since: number of the last frame of the time line that is known already.
        """
        with self._lock:
            return {**self._moment, 'frames': self._frames, 'picture': self._pictures,
                    'plan': self._plans,
                    'age': round(time.monotonic() - self._newest, 1) if self._frames else None,
                    'past': [tuple(past) for past in self._past if past.number > since]}

    def picture(self) -> bytes:
        """Return the newest JPEG; empty before the first."""
        with self._lock:
            return self._picture

    def plan(self) -> dict[str, Any]:
        """Return the plan; empty before it is known."""
        with self._lock:
            return self._plan

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """
        Call a function after each change, in the thread that tells it.

        :returns: what ends that.
        """
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                self._listeners.remove(listener)
        return end

    def _changed(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
