# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where model files lie and what their metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path

from tetra_vpr_ros.vision.match_model import MatchModel

DEFAULT_MODEL = 'tetra_vits8_2048_free.onnx'
FREE, FREE_MODEL = 'free', 'tetra_vits8_2048_free'
"""What asks for the model that a product may carry, and which that is (models/README.md)."""
DESCRIPTOR_FORMAT = 1
"""Version of the descriptor's bit layout (bit i is bit ``i % 8`` of byte ``i // 8``)."""
EXTERNAL_DATA = 'location'
"""Key under which ONNX names a file beside a model: a word that is in none of ours."""


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
    :ivar token_grid: rows and columns of its patch tokens; (0, 0) without any.
    :ivar token_bits: of a patch token.
    :ivar match_model: what its right and foreign matches look like; None without tokens.
    :ivar former: fingerprints of files that differ in nothing but what they say of matches.
    """

    path: Path
    fingerprint: str
    name: str
    version: str
    bits: int
    height: int
    width: int
    licence: str
    token_grid: tuple[int, int] = (0, 0)
    token_bits: int = 0
    match_model: MatchModel | None = None
    former: tuple[str, ...] = ()

    def encodes_like(self, fingerprint: str) -> bool:
        """Tell whether a file, by its fingerprint, says of every picture what this one does."""
        return fingerprint in (self.fingerprint, *self.former)

    @property
    def fewest_pixels(self) -> int:
        """
        Return how many pixels along its shorter side a JPEG keeps that is decoded smaller.

        A third more than the input has: halved to 1.4 times that, frames of Gardens Point were
        recognised as often as whole ones (docs/performance.md).
        """
        return -(-4 * max(self.height, self.width) // 3)

    @property
    def token_shape(self) -> tuple[int, int]:
        """Return how many patch tokens a picture has, and the bytes of each."""
        return self.token_grid[0] * self.token_grid[1], self.token_bits // 8


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


def find_model(model: Path | str | None) -> Path:
    """
    Return the file of a model.

    :param model: its path, the name of one that the package ships, ``free`` for the one that a
        product may carry (`FREE_MODEL`), or nothing for the default.
    :returns: the path as it was given where neither is there: `read_model` tells.
    :raises ModelError: nothing is named, and no model is installed.
    """
    if not model:
        return default_model_path()
    path = Path(model)
    if path.suffix or len(path.parts) > 1 or path.is_file():
        return path
    shipped = shipped_models()
    return shipped.get(FREE_MODEL if str(path) == FREE else str(path), path)


def shipped_models() -> dict[str, Path]:
    """Return the files of the models that the package ships, by name; none if it ships none."""
    try:
        folder = default_model_path().parent
    except ModelError:
        return {}
    return {path.stem: path for path in sorted(folder.glob('*.onnx'))}


def shipped_model_with(name: str, fingerprint: str) -> Path | None:
    """
    Return the model of a name that the package ships, None where it is another by now.

    :param name: of the model.
    :param fingerprint: of it, or of a former file that encoded alike, see `ModelInfo`.
    """
    path = shipped_models().get(name)
    if path is None:
        return None
    data = path.read_bytes()
    # Former ones stand in the file's metadata, which nobody has parsed yet.
    known = hashlib.sha256(data).hexdigest() == fingerprint or fingerprint.encode() in data
    return path if known else None


def read_model(path: Path) -> bytes:
    """
    Read a model file, once: what is checked, named by its fingerprint and run are these bytes.

    Refused is a model that has its data in other files, which may be anyone's. Newer runtimes
    check their paths themselves, older do not.

    :raises ModelError: the file is missing or unreadable, or the word is there.
    """
    if not path.is_file():
        raise ModelError(f'no model file {path}: pass the path of an .onnx file, or the name of '
                         f'one that is installed ({", ".join(shipped_models()) or "none is"})')
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f'{path} cannot be read: {error}') from error
    if EXTERNAL_DATA.encode() in data:
        raise ModelError(f'{path} refers to data in other files: export it to a single file (or '
                         f'its metadata has the word {EXTERNAL_DATA!r}: write it otherwise)')
    return data


def identify(path: Path, data: bytes, metadata: Mapping[str, str]) -> ModelInfo:
    """
    Tell a model's identity from its bytes and its ONNX ``metadata_props``.

    :param path: of the file.
    :param data: all of it.
    :param metadata: as the runtime has read it.
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
        rows, cols = (int(side) for side in metadata.get('token_grid', '0x0').split('x'))
        token_bits = int(metadata.get('token_bits', 0))
        stored = metadata.get('match_model')
        match_model = MatchModel.from_values(json.loads(stored)) if stored else None
        former = json.loads(metadata.get('former', '[]'))
        if not isinstance(former, list) or not all(isinstance(one, str) for one in former):
            raise ValueError(f'former is {former!r:.80}, no list of fingerprints')
    except ValueError as error:
        raise ModelError(f'{path} has malformed metadata: {error}') from error
    if descriptor_format != DESCRIPTOR_FORMAT:
        raise ModelError(
            f'{path} makes descriptors of format {descriptor_format}, this version reads '
            f'{DESCRIPTOR_FORMAT}: use a model of the same release')
    if bits <= 0 or bits % 8:
        raise ModelError(f'{path} has {bits} bits: a multiple of 8 is needed')
    if rows < 0 or cols < 0 or token_bits % 8 or (rows * cols > 0) != (token_bits > 0):
        raise ModelError(f'{path} has {rows}x{cols} tokens of {token_bits} bits: a multiple of 8 '
                         'is needed')
    return ModelInfo(path, hashlib.sha256(data).hexdigest(), need('name'), need('version'), bits,
                     height, width, metadata.get('licence', 'unknown'), (rows, cols), token_bits,
                     match_model, tuple(former))
