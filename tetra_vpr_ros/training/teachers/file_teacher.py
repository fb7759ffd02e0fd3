# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A teacher that is a whole network in a file: ONNX or TorchScript."""

from __future__ import annotations

import math
from pathlib import Path

from tetra_vpr_ros.training.network.imagenet import ImageNetNormalisation
from tetra_vpr_ros.training.teachers.teacher import TeacherError, TeacherOutput
import torch


def _token_map(path: Path, result: torch.Tensor) -> TeacherOutput:
    """Accept ``[B, C, rows, cols]`` or ``[B, N, C]`` with a square, or 1 + a square, N."""
    if result.ndim == 4:
        return TeacherOutput(result.flatten(2).transpose(1, 2), tuple(result.shape[2:]))
    if result.ndim == 3:
        side = math.isqrt(result.shape[1])
        extra = result.shape[1] - side * side
        if extra in (0, 1):
            class_token = result[:, 0] if extra else None
            return TeacherOutput(result[:, extra:], (side, side), class_token)
    raise TeacherError(f'{path} yields shape {tuple(result.shape)}: a teacher yields a map '
                       '[B, C, rows, cols] or square tokens [B, N, C]')


class FileTeacher:
    """
    An ONNX or TorchScript file that yields a token map.

    Input: float ``[B, 3, H, W]``, normalised as ImageNet networks expect it, or
    uint8 ``[B, H, W, 3]`` where an ONNX file says so.
    """

    attention_layers = 0

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        """
        Open the file and try it once.

        :param path: ``.onnx``, or a TorchScript file.
        :param size: height and width of the images that it will get.
        :raises TeacherError: it cannot be opened, or what it yields is no token map.
        """
        self.path = path
        self._uint8 = False
        self._normalise = ImageNetNormalisation()
        try:
            if path.suffix == '.onnx':
                import onnxruntime
                session = onnxruntime.InferenceSession(
                    str(path), providers=['CPUExecutionProvider'])
                entry = session.get_inputs()[0]
                self._uint8 = entry.type == 'tensor(uint8)'
                self._run = lambda x: torch.from_numpy(
                    session.run(None, {entry.name: x.numpy()})[0])
            else:
                module = torch.jit.load(str(path), map_location='cpu').eval()
                self._run = module
        except Exception as error:  # both runtimes raise their own kinds
            raise TeacherError(f'teacher {path} cannot be opened: {error}') from error
        try:
            out = self(torch.zeros(1, *size, 3, dtype=torch.uint8))
        except TeacherError:
            raise
        except Exception as error:
            raise TeacherError(f'teacher {path} does not take pictures of {size[0]}x{size[1]}, '
                               f'teacher.image_size: {error}') from error
        self.patch_channels = out.patches.shape[2]
        self.class_channels = 0 if out.class_token is None else out.class_token.shape[1]

    def __call__(self, image: torch.Tensor) -> TeacherOutput:
        """Return the file's first output as tokens."""
        if not self._uint8:
            image = self._normalise(image)
        return _token_map(self.path, self._run(image))
