# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the node fares: counts, latencies and silence, as they go to ``/diagnostics``."""

from __future__ import annotations

from collections import Counter, deque
import time

import numpy as np
from tetra_vpr_ros.nodes.localizer.loading import Loaded
from tetra_vpr_ros.nodes.localizer.outputs import NO_IMAGES


class Health:
    """
    What is counted since the node was activated.

    :ivar counts: frames ``received``, ``processed``, ``refused`` and ``failed``, and the
        estimates that were ``accepted``.
    """

    def __init__(self) -> None:
        """Begin to count."""
        self.counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._last_image = time.monotonic()

    def processed(self, frames: int, received: float) -> float:
        """
        Count frames that were worked on together.

        :param frames: how many.
        :param received: when the newest of them came, monotonic seconds.
        :returns: the latency, seconds.
        """
        self._last_image = time.monotonic()
        latency = self._last_image - received
        self._latencies.append(latency)
        self.counts['processed'] += frames
        return latency

    def publish(self, loaded: Loaded, dropped: int, no_image_timeout: float) -> None:
        """
        Publish the diagnostics, and the status where no image comes any more.

        :param loaded: by the node.
        :param dropped: frames that a newer one replaced.
        :param no_image_timeout: seconds without an image that are no silence yet.
        """
        silent = time.monotonic() - self._last_image
        if silent > no_image_timeout and loaded.outputs.state != NO_IMAGES:
            loaded.outputs.status(NO_IMAGES, f'no usable image for {silent:.1f} s')
        latencies = np.array(list(self._latencies) or [np.nan]) * 1e3
        loaded.outputs.diagnostics((
            ('frames received', self.counts['received']),
            ('frames processed', self.counts['processed']),
            ('frames dropped for a newer one', dropped),
            ('frames refused', self.counts['refused']),
            ('frames failed', self.counts['failed']),
            ('matches accepted', self.counts['accepted']),
            ('latency p50 ms', f'{np.percentile(latencies, 50):.1f}'),
            ('latency p95 ms', f'{np.percentile(latencies, 95):.1f}'),
            ('latency p99 ms', f'{np.percentile(latencies, 99):.1f}'),
            ('places', len(loaded.places.table)),
            ('map', loaded.place_map.path),
            ('model', loaded.encoder.info.name)))
