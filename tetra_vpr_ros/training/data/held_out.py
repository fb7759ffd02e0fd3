# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The split that chooses between checkpoints: which images are never trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
import hashlib
import re

from tetra_vpr_ros.training.data.place_sets import PlaceSetConfig


@dataclass(frozen=True)
class HeldOut:
    """
    Which images are never trained on.

    :ivar patterns: regular expressions searched in the name.
    :ivar share: of all other images. The choice hashes the name, so that it
        never depends on which other folders were given.
    """

    patterns: tuple[str, ...] = ()
    share: float = 0.0

    def by_pattern(self, name: str) -> bool:
        """Tell whether a pattern holds the image out."""
        return any(re.search(pattern, name) for pattern in self.patterns)

    def __call__(self, name: str) -> bool:
        """Tell whether the image is held out."""
        digest = hashlib.sha256(name.encode()).digest()
        return self.by_pattern(name) or int.from_bytes(digest[:4], 'big') < self.share * 2**32


@dataclass(frozen=True)
class ValidationConfig:
    """
    The split that chooses between checkpoints; none of it is trained on.

    :ivar patterns: regular expressions of image names (``folder/file``).
    :ivar share: of all other images, chosen by a hash of the name.
    :ivar places: data sets of places that the patterns hold out.
    """

    patterns: list[str] = field(default_factory=list)
    share: float = 0.0
    places: list[PlaceSetConfig] = field(default_factory=list)

    def held_out(self) -> HeldOut:
        """Return the rule that tells the split from the rest."""
        return HeldOut(tuple(self.patterns), self.share)
