# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A worker that always works on the newest frames."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
import threading
import time
from typing import Generic, TypeVar

Frame = TypeVar('Frame')

_SILENT = 2.0  # seconds after which nobody waits for a camera any more


class LatestFrameWorker(Generic[Frame]):
    """
    One thread with a slot for one frame of each camera; newer ones replace unused ones.

    The executor only puts messages into the slots, so that services, timers and
    lifecycle transitions are answered while an inference runs.

    :param work: called in the thread with the frames that were not replaced.
    :param cameras: how many there are.
    :param window: seconds to wait for the frames of the other cameras, but for one that has been
        silent for longer than two seconds.
    :param clock: seconds.
    """

    def __init__(self, work: Callable[[Sequence[Frame]], None], cameras: int = 1,
                 window: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the thread."""
        self._work, self._clock = work, clock
        self._cameras, self._window = cameras, window
        self._slots: dict[Hashable, Frame] = {}
        self._came: dict[Hashable, float] = {}  # when the last frame of a camera did
        self._began = clock()
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
            self._slots[camera], self._came[camera] = frame, self._clock()
            self._condition.notify()

    def close(self) -> None:
        """Finish the frames in work, if any, and end the thread."""
        with self._condition:
            self._closed = True
            self._slots = {}
            self._condition.notify()
        self._thread.join()

    def _awaited(self) -> int:
        """Return of how many cameras a frame may be on its way, those in the slots included."""
        now, unheard = self._clock(), self._cameras - len(self._came)
        return (sum(now - came <= _SILENT for came in self._came.values())
                + (unheard if now - self._began <= _SILENT else 0))

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._slots and not self._closed:
                    self._condition.wait()
                if self._window and not self._closed:
                    self._condition.wait_for(
                        lambda: self._closed or len(self._slots) >= self._awaited(), self._window)
                if self._closed:
                    return
                frames, self._slots = list(self._slots.values()), {}
            self._work(frames)
