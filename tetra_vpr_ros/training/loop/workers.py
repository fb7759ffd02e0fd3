# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one network."""

from __future__ import annotations

from dataclasses import dataclass
import os

import torch
from torch import distributed


@dataclass
class Workers:
    """One process among those that ``torchrun`` started."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> Workers:
        """Join the others, if ``torchrun`` says that there are any."""
        count = int(os.environ.get('WORLD_SIZE', '1'))
        if count > 1 and not distributed.is_initialized():
            distributed.init_process_group('nccl' if torch.cuda.is_available() else 'gloo')
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', '0')))
        return cls(int(os.environ.get('RANK', '0')), count)

    def average(self, gradients: list[torch.Tensor]) -> None:
        """Average tensors over the processes, in place."""
        if self.count == 1:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start:start + gradient.numel()].reshape(gradient.shape))
            start += gradient.numel()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()
