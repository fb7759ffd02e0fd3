# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where model files lie and what their metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
from pathlib import Path

DEFAULT_MODEL = 'tetra_vits8_2048.onnx'
DESCRIPTOR_FORMAT = 1
"""Version of the descriptor's bit layout (bit i is bit ``i % 8`` of byte ``i // 8``)."""


class ModelError(RuntimeError):
    """A model file that is missing or is not a place encoder; the text names it."""


@dataclass(frozen=True)
class ModelInfo:
    """
    Identity of a model.

    :ivar path: of the ONNX file.
    :ivar fingerprint: SHA-256 of the file, hexadecimal.
    :ivar name: of the model.
    :ivar version: of the model.
    :ivar bits: of a descriptor.
    :ivar height: rows of the input.
    :ivar width: columns of the input.
    :ivar licence: of the weights.
    """

    path: Path
    fingerprint: str
    name: str
    version: str
    bits: int
    height: int
    width: int
    licence: str


def default_model_path() -> Path:
    """
    Return the model that the package ships.

    Looks beside the package (a checkout, also through a symlinked install),
    then in ``share/tetra_vpr_ros/models`` of every prefix above it (pip,
    colcon, Debian).

    :raises ModelError: no model is installed; the places searched are named.
    """
    here = Path(__file__).resolve()
    places = [here.parents[2] / 'models']
    places += [parent / 'share' / 'tetra_vpr_ros' / 'models' for parent in here.parents[2:]]
    for place in places:
        if (place / DEFAULT_MODEL).is_file():
            return place / DEFAULT_MODEL
    raise ModelError(
        f'{DEFAULT_MODEL} is in none of {places[0]}, {places[1]} and the prefixes above: '
        'install the package again, or pass a model file')


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_self_contained(path: Path) -> None:
    """
    Refuse a model that has its data in other files, which may be anyone's.

    ONNX names such a file under the key ``location``; no model of this package
    has that word. Newer runtimes check the path themselves, older do not.

    :raises ModelError: the word is there.
    """
    if b'location' in path.read_bytes():
        raise ModelError(f'{path} refers to data in other files: export it to a single file')


def parse_metadata(path: Path, metadata: Mapping[str, str]) -> ModelInfo:
    """
    Read a model's identity from its ONNX ``metadata_props``.

    :raises ModelError: a key is missing or malformed, or the descriptor format is
        another than this version's.
    """
    def need(key: str) -> str:
        if key not in metadata:
            raise ModelError(
                f'{path} is no place encoder of this package: its metadata lacks {key!r}; '
                'export it with tetra_vpr_ros.training')
        return metadata[key]

    try:
        bits = int(need('bits'))
        height, width = (int(side) for side in need('input_size').split('x'))
        descriptor_format = int(need('descriptor_format'))
    except ValueError as error:
        raise ModelError(f'{path} has malformed metadata: {error}') from error
    if descriptor_format != DESCRIPTOR_FORMAT:
        raise ModelError(
            f'{path} makes descriptors of format {descriptor_format}, this version reads '
            f'{DESCRIPTOR_FORMAT}: use a model of the same release')
    if bits <= 0 or bits % 8:
        raise ModelError(f'{path} has {bits} bits: a multiple of 8 is needed')
    return ModelInfo(path, file_fingerprint(path), need('name'), need('version'), bits,
                     height, width, metadata.get('licence', 'unknown'))
