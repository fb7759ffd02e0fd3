# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A worker that always works on the newest frames."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
import threading
from typing import Generic, TypeVar

Frame = TypeVar('Frame')


class LatestFrameWorker(Generic[Frame]):
    """
    One thread with a slot for one frame of each camera; newer ones replace unused ones.

    The executor only puts messages into the slots, so that services, timers and
    lifecycle transitions are answered while an inference runs.

    :param work: called in the thread with the frames that were not replaced.
    :param cameras: how many there are.
    :param window: seconds to wait for the frames of the other cameras.
    """

    def __init__(self, work: Callable[[Sequence[Frame]], None], cameras: int = 1,
                 window: float = 0.0) -> None:
        """Start the thread."""
        self._work = work
        self._cameras, self._window = cameras, window
        self._slots: dict[Hashable, Frame] = {}
        self._closed = False
        self._condition = threading.Condition()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name='localize', daemon=True)
        self._thread.start()

    def put(self, frame: Frame, camera: Hashable = 0) -> None:
        """Hand over a frame; an unused older one of the camera is dropped and counted."""
        with self._condition:
            if camera in self._slots:
                self.dropped += 1
            self._slots[camera] = frame
            self._condition.notify()

    def close(self) -> None:
        """Finish the frames in work, if any, and end the thread."""
        with self._condition:
            self._closed = True
            self._slots = {}
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._slots and not self._closed:
                    self._condition.wait()
                if len(self._slots) < self._cameras and self._window:
                    self._condition.wait_for(
                        lambda: self._closed or len(self._slots) == self._cameras, self._window)
                if self._closed:
                    return
                frames, self._slots = list(self._slots.values()), {}
            self._work(frames)
