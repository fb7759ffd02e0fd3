# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small pictures that a page carries, as many as it may weigh."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

_WIDTH = 208    # pixels: two beside each other fill a phone
_KEPT = 8000    # pictures of a stream in memory: some 40 MB
_QUALITY = 62   # of the JPEG: 3 to 7 kB


def small_picture(jpeg: bytes | None) -> bytes | None:
    """Return a smaller JPEG; None where there is no picture, or none that decodes."""
    if not jpeg:
        return None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else small_jpeg(np.asarray(image, np.uint8))


def small_jpeg(image: NDArray[np.uint8]) -> bytes:
    """
    Return a picture as a small JPEG.

    :param image: blue, green, red, uint8 ``[H, W, 3]``.
    """
    scale = _WIDTH / image.shape[1]
    if scale < 1:
        size = _WIDTH, max(1, round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()


class Keepsakes:
    """
    Small pictures of a stream of unknown length: all of a short one, ever fewer of a long one.

    :param most: how many are kept; when there are more, every second is dropped.
    """

    def __init__(self, most: int = _KEPT) -> None:
        """Keep none yet."""
        self.most = most
        self._kept: dict[int, bytes] = {}
        self._step = 1

    def see(self, number: int, image: NDArray[np.uint8]) -> None:
        """
        Keep a picture, if its turn has come.

        :param number: of the frame, rising.
        :param image: red, green, blue, uint8 ``[H, W, 3]``.
        """
        if number % self._step:
            return
        self._kept[number] = small_jpeg(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                                                   np.uint8))
        if len(self._kept) > self.most:
            self._step *= 2
            self._kept = {n: jpeg for n, jpeg in self._kept.items() if not n % self._step}

    def picture(self, number: int) -> bytes | None:
        """Return the JPEG of a frame, or None where it was not kept."""
        return self._kept.get(number)


def carried(first: Iterable[int], others: NDArray[np.int64], read: Callable[[int], bytes | None],
            budget: int, progress: bool = True) -> dict[str, str]:
    """
    Return the pictures that a page carries, by their number, as base64.

    :param first: numbers of those that are wanted most, in this order.
    :param others: numbers of the others, along the way; thinned evenly to what is left.
    :param read: returns the small JPEG of a number.
    :param budget: bytes that they may take in the page.
    :param progress: show a bar.
    """
    found: dict[str, str] = {}
    left = budget
    wanted = list(dict.fromkeys(int(number) for number in first))
    rest = others[~np.isin(others, wanted)]
    with tqdm(total=len(wanted) + len(rest), desc='pictures', unit='picture',
              disable=not progress) as bar:
        # In halves, quarters, eighths … of the way: wherever the budget ends, they lie evenly.
        for number in (*wanted, *rest[_spread(len(rest))].tolist()):
            bar.update()
            jpeg = read(number)
            if jpeg is None:
                continue
            text = base64.b64encode(jpeg).decode()
            left -= len(text) + len(str(number)) + 6  # with quotes, colon and comma
            if left < 0:
                break
            found[str(number)] = text
    return found


def _spread(count: int) -> NDArray[np.int64]:
    """Return 0 … count - 1 so that any beginning is spread evenly (van der Corput, 1935)."""
    digits = max(1, int(count - 1).bit_length())
    numbers = np.arange(1 << digits)
    mirrored = np.zeros_like(numbers)
    for digit in range(digits):
        mirrored |= ((numbers >> digit) & 1) << (digits - 1 - digit)
    return np.asarray(mirrored[mirrored < count])
