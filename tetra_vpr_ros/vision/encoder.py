# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The place encoder: an image in, a packed binary descriptor out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
import ctypes
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import onnxruntime
from tetra_vpr_ros.vision.decoding import Image
from tetra_vpr_ros.vision.model_file import find_model, identify, ModelError, read_model

Descriptor = NDArray[np.uint8]


@dataclass(frozen=True)
class Encodings:
    """
    Images as descriptors, and as patch tokens where the model has them.

    :ivar descriptors: uint8 ``[n, bits / 8]``.
    :ivar tokens: uint8 ``[n, rows*columns, token_bits / 8]``, or None.
    """

    descriptors: Descriptor
    tokens: NDArray[np.uint8] | None

    @classmethod
    def joined(cls, parts: Sequence[Encodings]) -> Encodings:
        """Join what one model has made, at least one part."""
        tokens = [part.tokens for part in parts if part.tokens is not None]
        return cls(np.concatenate([part.descriptors for part in parts]),
                   np.concatenate(tokens) if tokens else None)

    def __iter__(self) -> Iterator[tuple[Descriptor, NDArray[np.uint8] | None]]:
        """Yield descriptor and tokens of each image."""
        for row, descriptor in enumerate(self.descriptors):
            yield descriptor, None if self.tokens is None else self.tokens[row]


_LEVELS = {'all': 'ORT_ENABLE_ALL', 'extended': 'ORT_ENABLE_EXTENDED',
           'basic': 'ORT_ENABLE_BASIC', 'disabled': 'ORT_DISABLE_ALL'}
OPTIMIZATIONS = tuple(_LEVELS)
"""How far onnxruntime may rewrite a model's graph."""


def resize_by_area(image: Image, height: int, width: int) -> Image:
    """
    Resize to the model's input by area averaging, not keeping the aspect.

    The whole view is squashed into the input: what a wide lens sees at its
    edges tells places apart, and a crop would lose it. Area averaging does not
    alias, so that the same place at another resolution keeps its descriptor.

    :param image: RGB uint8 ``[H, W, 3]``.
    :param height: rows wanted.
    :param width: columns wanted.
    :returns: RGB uint8 ``[height, width, 3]``.
    """
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def spin_within_a_run(options: onnxruntime.SessionOptions, spinning: bool) -> None:
    """
    Say whether threads spin while they wait for each other; between two runs they never do.

    A network of small operators makes its threads wait for each other at each of them, and
    waking one takes as long as the operator.
    """
    options.add_session_config_entry('session.intra_op.allow_spinning', str(int(spinning)))
    options.add_session_config_entry('session.force_spinning_stop', '1')


class PlaceEncoder:
    """
    Ternary ViT in an onnxruntime session on the CPU.

    :param model: ONNX file, or the name of a shipped model; None for the default one.
    :param threads: of one inference; 0 lets onnxruntime choose.
    :param spinning: let the threads of an inference spin while they wait for each other, which
        is faster but where other programs fill the cores. They stop with the inference.
    :param optimization: how far onnxruntime rewrites the graph, one of `OPTIMIZATIONS`.
    :raises ValueError: another optimization.
    :raises ModelError: the file is missing, is no ONNX model, or lacks the
        expected input, output or metadata.
    :ivar info: identity of the model.
    """

    def __init__(self, model: Path | str | None = None, *, threads: int = 1,
                 spinning: bool = True, optimization: str = 'all') -> None:
        """Load the model."""
        path = find_model(model)
        data = read_model(path)
        if optimization not in OPTIMIZATIONS:
            raise ValueError(f'optimization must be one of {", ".join(OPTIMIZATIONS)}, not '
                             f'{optimization!r}')
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(
            onnxruntime.GraphOptimizationLevel, _LEVELS[optimization])
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        spin_within_a_run(options, spinning)
        # Else bytes that begin like onnxruntime's own format would be read as that.
        options.add_session_config_entry('session.load_model_format', 'ONNX')
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=['CPUExecutionProvider'])
            # It keeps the file for other providers to start from, which are never asked for.
            self._session._model_bytes = None
            metadata = self._session.get_modelmeta().custom_metadata_map
            self._inputs = {i.name: (i.type, i.shape) for i in self._session.get_inputs()}
            self._outputs = {o.name: (o.type, o.shape) for o in self._session.get_outputs()}
        except Exception as error:  # onnxruntime has no common exception class
            raise ModelError(f'{path} is not a model that onnxruntime '
                             f'{onnxruntime.__version__} can load: {error}') from error
        # Else it computes what nobody asked for, too.
        self._wanted_only = onnxruntime.RunOptions()
        self._wanted_only.only_execute_path_to_fetches = True
        self.info = identify(path, data, metadata)
        self._check_interface()
        del data
        _give_memory_back()

    def _check_interface(self) -> None:
        info, inputs, outputs = self.info, self._inputs, self._outputs
        kind, shape = inputs.get('image', ('', []))
        if (len(inputs) != 1 or kind != 'tensor(uint8)'
                or shape[1:] != [info.height, info.width, 3]):
            raise ModelError(
                f"{info.path} needs one input 'image' of uint8 [N, {info.height}, "
                f'{info.width}, 3], it has {inputs}')
        if isinstance(shape[0], int):  # several cameras, and maps, are encoded in batches
            raise ModelError(f'{info.path} encodes {shape[0]} images at a time, neither more nor '
                             'fewer: export it with a free first dimension')
        kind, shape = outputs.get('descriptor', ('', []))
        if kind != 'tensor(uint8)' or shape[1:] != [info.bits // 8]:
            raise ModelError(
                f"{info.path} needs an output 'descriptor' of uint8 [N, {info.bits // 8}], "
                f'it has {outputs}')
        kind, shape = outputs.get('tokens', ('', []))
        if info.token_bits and (kind != 'tensor(uint8)' or shape[1:] != list(info.token_shape)):
            raise ModelError(
                f"{info.path} needs an output 'tokens' of uint8 [N, {info.token_shape[0]}, "
                f'{info.token_shape[1]}], as its metadata says, it has {outputs}')

    @property
    def bits(self) -> int:
        """Return the length of a descriptor in bits."""
        return self.info.bits

    def encode(self, image: Image) -> Descriptor:
        """
        Encode one image of any size.

        :param image: RGB uint8 ``[H, W, 3]``.
        :returns: uint8 ``[bits / 8]``.
        """
        return self.encode_batch([image])[0]

    def encode_batch(self, images: Sequence[Image]) -> Descriptor:
        """
        Encode images of any, also of different, sizes.

        :param images: each RGB uint8 ``[H, W, 3]``.
        :returns: uint8 ``[len(images), bits / 8]``.
        :raises ValueError: an image is not RGB uint8, or is empty.
        :raises ModelError: the model fails, because its file is damaged.
        """
        return self._run(images, {'descriptor': (self.bits // 8,)})[0]

    def encode_with_tokens(self, images: Sequence[Image], wanted: bool = True) -> Encodings:
        """
        Encode images, in the same run to the patch tokens of a second look.

        :param images: each RGB uint8 ``[H, W, 3]``.
        :param wanted: False leaves the tokens out, which are then not computed.
        :returns: descriptors, and tokens where the model has them.
        :raises ValueError: an image is not RGB uint8, or is empty.
        :raises ModelError: the model fails, because its file is damaged.
        """
        if not wanted or not self.info.token_bits:
            return Encodings(self.encode_batch(images), None)
        return Encodings(*self._run(images, {'descriptor': (self.bits // 8,),
                                             'tokens': self.info.token_shape}))

    def _run(self, images: Sequence[Image], outputs: Mapping[str, tuple[int, ...]]
             ) -> list[NDArray[np.uint8]]:
        """Return outputs, for each of which the shape is given that an image has."""
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ValueError(
                    f'an image must be RGB uint8 [H, W, 3], not {image.dtype} {image.shape}')
        if not len(images):
            return [np.empty((0, *shape), np.uint8) for shape in outputs.values()]
        batch = np.stack([
            resize_by_area(image, self.info.height, self.info.width) for image in images])
        try:
            found = self._session.run(list(outputs), {'image': batch}, self._wanted_only)
        except Exception as error:  # onnxruntime has no common exception class
            raise ModelError(f'{self.info.path} cannot encode: {error}') from error
        for (name, shape), array in zip(outputs.items(), found):
            if array.shape != (len(batch), *shape):
                raise ModelError(f"{self.info.path} cannot encode: its output '{name}' is "
                                 f'{array.shape}')
        return [np.asarray(array, np.uint8) for array in found]


def _give_memory_back() -> None:
    """
    Return what the start of a session has freed to the system: 50 MB of unpacked weights.

    Only glibc keeps it, and only glibc can be asked to.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
