# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every training of a network has to know, whichever verb started it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from tetra_vpr_ros.training.config_keys import Natural
from tetra_vpr_ros.training.data.held_out import ValidationConfig
from tetra_vpr_ros.training.network.place_network import NetworkConfig


@dataclass(frozen=True)
class RunConfig:
    """
    A run.

    :ivar run: folder of checkpoints and logs.
    :ivar seed: of weights, batches and light.
    :ivar network: what is trained.
    :ivar validation: what chooses between checkpoints.
    """

    run: str = 'runs/train'
    seed: Natural = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def recipe(self) -> dict[str, object]:
        """Return what a stage of it must be continued with, but for its folder."""
        return {'seed': self.seed, 'network': asdict(self.network),
                'validation': asdict(self.validation)}
