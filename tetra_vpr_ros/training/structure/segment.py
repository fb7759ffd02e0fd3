# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Label maps from any ONNX segmentation model, computed once for a folder of pictures."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from tetra_vpr_ros.training.data.label_maps import LabelMapError
from tetra_vpr_ros.training.data.pool import find_images, read_rgb
from tetra_vpr_ros.training.network.imagenet import ImageNetNormalisation
import torch
from tqdm import tqdm


class Segmenter:
    """
    A segmentation model.

    :param path: ONNX file: one image in, float ``[1, 3, H, W]`` (normalised as ImageNet) or
        uint8 ``[1, H, W, 3]``; scores ``[1, classes, h, w]`` or classes ``[1, (1,) h, w]`` out.
    :param size: height and width of the input where the model leaves them open.
    :raises LabelMapError: the model cannot be opened, or looks otherwise.
    """

    def __init__(self, path: Path, size: tuple[int, int] = (512, 512)) -> None:
        """Open the model."""
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=['CPUExecutionProvider'])
        except Exception as error:  # onnxruntime has no common exception class
            raise LabelMapError(f'{path} cannot be opened: {error}') from error
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        self._bytes = inputs[0].type == 'tensor(uint8)'
        sides = shape[1:3] if self._bytes else shape[2:4]
        if len(inputs) != 1 or len(shape) != 4 or shape[-1 if self._bytes else 1] != 3:
            raise LabelMapError(f'{path} takes {[(i.name, i.type, i.shape) for i in inputs]}, '
                                'not one RGB image')
        self._normalise = ImageNetNormalisation()
        self._path, self._name = path, inputs[0].name
        self._size = tuple(side if isinstance(side, int) else wanted
                           for side, wanted in zip(sides, size))

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """
        Segment a picture.

        :param picture: RGB uint8 ``[H, W, 3]``.
        :returns: class indices, uint8, of the size that the model puts out.
        :raises LabelMapError: the output is no segmentation of at most 256 classes.
        """
        small = cv2.resize(picture, self._size[::-1], interpolation=cv2.INTER_AREA)[None]
        if not self._bytes:
            small = self._normalise(torch.from_numpy(small)).numpy()
        found = self._session.run(None, {self._name: small})[0][0]
        if found.ndim == 3:
            found = found[0] if len(found) == 1 else found.argmax(0)
        if found.ndim != 2 or found.min() < 0 or found.max() > 255:
            raise LabelMapError(f'{self._path} puts out {found.shape}: that is no segmentation '
                                'of at most 256 classes')
        return found.astype(np.uint8)


def segment_folder(segmenter: Segmenter, images: Path, out: Path) -> tuple[int, int]:
    """
    Write the label map of every picture below a folder that has none yet.

    :param segmenter: the model.
    :param images: folder of pictures.
    :param out: folder of the label maps; names stay, the suffix becomes ``.png``.
    :returns: label maps written, and pictures that do not decode.
    :raises ValueError: no picture decodes, or two would have one label map; they are named.
    """
    written = skipped = 0
    pictures: dict[Path, Path] = {}  # by their label map; those of an earlier run are none
    for image in find_images(images):
        if not image.path.resolve().is_relative_to(out.resolve()):
            path = (out / image.path.relative_to(images)).with_suffix('.png')
            if path in pictures:
                raise ValueError(f'{pictures[path]} and {image.path} would have one label map, '
                                 f'{path}: rename one')
            pictures[path] = image.path
    for path, file in tqdm(pictures.items(), desc='segmenting', unit='picture'):
        if path.exists():
            continue
        picture = read_rgb(file)
        if picture is None:
            skipped += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix('.tmp.png')
        cv2.imwrite(str(temporary), segmenter(picture))
        os.replace(temporary, path)  # a kill leaves no half label map
        written += 1
    if skipped == len(pictures):
        raise ValueError(f'no picture below {images} decodes')
    return written, skipped
