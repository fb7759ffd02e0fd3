# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A worker that always works on the newest frame."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic, TypeVar

Frame = TypeVar('Frame')


class LatestFrameWorker(Generic[Frame]):
    """
    One thread with a slot for one frame: a newer frame replaces an unused one.

    The executor only puts messages into the slot, so that services, timers and
    lifecycle transitions are answered while an inference runs.

    :param work: called in the thread with each frame that was not replaced.
    """

    def __init__(self, work: Callable[[Frame], None]) -> None:
        """Start the thread."""
        self._work = work
        self._slot: Frame | None = None
        self._closed = False
        self._condition = threading.Condition()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name='localize', daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Hand over a frame; an unused older one is dropped and counted."""
        with self._condition:
            if self._slot is not None:
                self.dropped += 1
            self._slot = frame
            self._condition.notify()

    def close(self) -> None:
        """Finish the frame in work, if any, and end the thread."""
        with self._condition:
            self._closed = True
            self._slot = None
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._slot is None and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                frame, self._slot = self._slot, None
            assert frame is not None
            self._work(frame)
