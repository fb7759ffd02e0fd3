# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""DINOv2 (arXiv 2304.07193), by somebody else's code."""

from __future__ import annotations

from tetra_vpr_ros.training.network.imagenet import ImageNetNormalisation
from tetra_vpr_ros.training.teachers.teacher import TeacherError, TeacherOutput
import torch
from torch import nn


class DinoV2(nn.Module):
    """DINOv2 through ``transformers``, from a local directory or a hub id."""

    def __init__(self, name: str, attention_layers: int = 4, temperature: float = 4.0) -> None:
        """
        Open the model.

        :raises TeacherError: transformers is missing or the model cannot be opened.
        """
        super().__init__()
        try:
            from transformers import AutoModel
        except ImportError as error:
            raise TeacherError(
                f'teacher {name!r} needs transformers: pip install transformers') from error
        try:
            self.model = AutoModel.from_pretrained(name, attn_implementation='eager')
        except (OSError, ValueError) as error:
            raise TeacherError(
                f'teacher {name!r} is neither a directory nor a model of the hub: {error}'
            ) from error
        config = self.model.config
        self.patch = int(config.patch_size)
        self.patch_channels = self.class_channels = int(config.hidden_size)
        self.attention_layers, self.temperature = attention_layers, temperature
        self.normalise = ImageNetNormalisation()

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the last hidden state, the image cut to whole patches."""
        rows, cols = image.shape[1] // self.patch, image.shape[2] // self.patch
        image = image[:, :rows * self.patch, :cols * self.patch]
        wanted = self.attention_layers > 0
        out = self.model(pixel_values=self.normalise(image), output_attentions=wanted)
        tokens = out.last_hidden_state
        attention = None
        if wanted:
            # transformers hands out probabilities: a temperature is a power of them.
            softened = [(a.float().clamp_min(1e-12).log() / self.temperature).softmax(-1).mean(1)
                        for a in out.attentions[-self.attention_layers:]]
            attention = torch.stack(softened, dim=1)
        return TeacherOutput(tokens[:, -rows * cols:], (rows, cols), tokens[:, 0], attention)
