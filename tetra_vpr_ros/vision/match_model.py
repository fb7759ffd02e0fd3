# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model's right matches look like, and what foreign pictures look like to it."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass, fields, MISSING, replace
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 1e4  # weight that makes any sense


@dataclass(frozen=True)
class MatchModel:
    """
    Two logistic models of a second look, measured on places that a model was not trained on.

    *Where*: among the candidates of one frame a place is the right one with a probability
    proportional to ``exp(look_bits · d + look_standing · z + look_background · b + look_contrast
    · c)``, where d is its distance as a share of all bits, z how far it stands out of the map, and
    b and c are background and contrast of its tokens, see `TokenScores` (a conditional logit,
    D. McFadden, 1974). Of a frame that is only imagined these two are not known: there it is
    ``exp(place_score · s + place_bits · d + place_standing · z)``, s its token score (0..1).

    *Whether*: the log-likelihood ratio of a frame of the map to one of a foreign world is
    ``frame_score · s + frame_bits · d + frame_background · b + frame_bias`` of the best candidate.
    (Contrast would tell still more, but one place of a dark map stands out for many foreign
    pictures.)

    :ivar missed: share of the frames whose right place is not among those looked at.
    :ivar foreign_level: nats that one in a hundred foreign frames reaches.
    :ivar foreign_decay: nats over which that share falls by a factor e.
    :ivar look_bits: 0, as those that follow, in models that were measured without them.
    :ivar nothing: tokens of pictures that show nothing (a covered lens, noise), which look like
        the blank walls of a map; base64, empty for none.
    """

    place_score: float
    place_bits: float
    place_standing: float
    frame_score: float
    frame_bits: float
    frame_bias: float
    missed: float
    foreign_level: float
    foreign_decay: float
    look_bits: float = 0.0
    look_standing: float = 0.0
    look_background: float = 0.0
    look_contrast: float = 0.0
    frame_background: float = 0.0
    nothing: str = ''

    def preferences(self, scores: NDArray[np.float64], shares: NDArray[np.float64],
                    standing: NDArray[np.float64], compared: NDArray[np.float64] | None = None
                    ) -> NDArray[np.float64]:
        """
        Return the log-odds of candidates of one frame among each other.

        :param scores: of the tokens, ``[k]``.
        :param shares: distances as shares of all bits, ``[k]``.
        :param standing: see `standing_out`, ``[k]``.
        :param compared: background and contrast of the tokens, ``[k, 2]``; None of a frame that
            is only imagined.
        """
        if compared is None or not self.look_contrast:
            return np.asarray(self.place_score * scores + self.place_bits * shares
                              + self.place_standing * standing)
        return np.asarray(self.look_bits * shares + self.look_standing * standing + compared @ (
            self.look_background, self.look_contrast))

    def of_the_map(self, score: float, share: float, background: float) -> float:
        """
        Return the log-likelihood ratio of "a frame of the map" to "of a foreign world", nats.

        :param score: of the tokens of the best candidate.
        :param share: its distance as a share of all bits.
        :param background: of its tokens.
        """
        return (self.frame_score * score + self.frame_bits * share
                + self.frame_background * background + self.frame_bias)

    def foreign_share(self, ratio: float) -> float:
        """Return the share of foreign frames, 0..1, whose `of_the_map` is at least this."""
        return min(1.0, 0.01 * math.exp((self.foreign_level - ratio) / self.foreign_decay))

    def with_nothing(self, tokens: NDArray[np.uint8]) -> MatchModel:
        """Return the same, and the tokens of pictures that show nothing; see `of_nothing`."""
        return replace(self, nothing=base64.b64encode(tokens.tobytes()).decode())

    def of_nothing(self, token_shape: tuple[int, int]) -> NDArray[np.uint8]:
        """
        Return the tokens of pictures that show nothing, uint8 ``[k, *token_shape]``.

        :param token_shape: tokens of a picture, and bytes of each.
        :raises ValueError: they are of another shape.
        """
        stored = np.frombuffer(base64.b64decode(self.nothing), np.uint8)
        return stored.reshape(len(stored) // math.prod(token_shape), *token_shape)

    def to_json(self) -> str:
        """Return what a model file stores."""
        return json.dumps(asdict(self))

    @classmethod
    def from_values(cls, values: Any) -> MatchModel:
        """
        Restore it.

        :param values: a mapping of its fields to numbers.
        :raises ValueError: a field is missing, or its value makes no sense.
        """
        found, stored = {}, values if isinstance(values, dict) else {}
        nothing = stored.get('nothing', '')
        try:
            base64.b64decode(nothing, validate=True)
        except (TypeError, ValueError) as error:
            raise ValueError(f'match model: nothing is not base64: {error}') from error
        for field in fields(cls):
            if field.name == 'nothing':
                continue
            value = stored.get(field.name, None if field.default is MISSING else field.default)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not (
                    abs(value) <= _LARGEST):
                raise ValueError(f'match model: {field.name} is {value!r:.80}')
            found[field.name] = float(value)
        if not 0 < found['missed'] < 1 or found['foreign_decay'] <= 0:
            raise ValueError('match model: a share or a decay makes no sense')
        return cls(**found, nothing=nothing)
