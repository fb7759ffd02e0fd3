# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the node fares: counts, rates and latencies, as they go to ``/diagnostics``."""

from __future__ import annotations

from collections import Counter, deque
import time

import numpy as np

_LATEST = 1000  # latencies that are remembered
_WHILE = 5.0    # seconds over which the frequency is taken


class Health:
    """
    What is counted since the node was activated; safe to use from two threads.

    :ivar counts: frames ``received``, ``processed``, ``refused`` and ``failed``, the
        ``moments`` that they belong to, those ``with odometry`` among them, and the estimates
        that were ``accepted``.
    :ivar refusal: why the last frame that was refused was.
    :ivar unusable: what became of the last frame, and why; empty once one was worked on.
    """

    def __init__(self) -> None:
        """Begin to count."""
        self.counts: Counter[str] = Counter()
        self.refusal = self.unusable = ''
        self._latencies: deque[float] = deque(maxlen=_LATEST)
        self._moments: deque[float] = deque(maxlen=_LATEST)
        self._began = self._last_image = time.monotonic()

    def refused(self, reason: str) -> None:
        """Count a frame that cannot be used."""
        self.counts['refused'] += 1
        self.refusal, self.unusable = reason, f'was refused: {reason}'

    def failed(self, error: str) -> None:
        """Count a frame at which the node itself failed."""
        self.counts['failed'] += 1
        self.unusable = f'failed: {error}'

    def processed(self, frames: int, received: float, with_odometry: bool) -> float:
        """
        Count frames that were worked on together.

        :param frames: how many.
        :param received: when the newest of them came, monotonic seconds.
        :param with_odometry: whether the motion up to that moment is known.
        :returns: the latency, seconds.
        """
        self._last_image, self.unusable = time.monotonic(), ''
        self._moments.append(self._last_image)
        latency = self._last_image - received
        self._latencies.append(latency)
        self.counts['processed'] += frames
        self.counts['moments'] += 1
        self.counts['with odometry'] += with_odometry
        return latency

    def idle(self) -> float:
        """Return for how many seconds there was no usable image."""
        return time.monotonic() - self._last_image

    def values(self) -> tuple[tuple[str, object], ...]:
        """Return what is known, by name."""
        now, counts = time.monotonic(), self.counts
        latencies = np.array(list(self._latencies) or [np.nan]) * 1e3
        recent = sum(now - moment <= _WHILE for moment in list(self._moments))
        seconds = max(min(_WHILE, now - self._began), 1e-3)
        share = counts['with odometry'] / counts['moments'] if counts['moments'] else 0.0
        return (
            ('frames received', counts['received']),
            ('frames processed', counts['processed']),
            ('frames refused', counts['refused']),
            ('frames failed', counts['failed']),
            ('last refusal', self.refusal),
            ('matches accepted', counts['accepted']),
            ('frequency Hz', f'{recent / seconds:.1f}'),
            ('share with odometry', f'{100.0 * share:.1f} %'),
            *((f'latency p{q} ms', f'{np.percentile(latencies, q):.1f}') for q in (50, 95, 99)),
            ('latency max ms', f'{latencies.max():.1f}'))
