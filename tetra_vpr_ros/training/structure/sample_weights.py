# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which pictures the structural teacher may teach, and how much.

Both branches look for each query among the other places. With the rank of the best
positive, 1 being right, under the structural branch (x) and under the RGB branch
(y), and n the rank up to which a branch counts as right, StructVPR (arXiv
2212.00937, section 3.3) partitions the samples; where the structural teacher is
wrong it must not teach. The paper's weighting code was not published; ours is

    w(x, y) = c(x) * g(x, y)
    c(x) = cos^2(pi/2 * (x - 1) / n)  for x <= n, else 0     how right the teacher is
    g(x, y) = y / (x + y)                                    how much more than the student

which falls in x, rises in y, and fades to zero where the teacher is no longer right.
"""

from __future__ import annotations

from collections.abc import Sequence
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

GROUPS = ('both', 'structure', 'rgb', 'neither')
"""Which branches are right; the last two are noisy samples, of weight zero."""


@dataclass(frozen=True)
class SampleWeights:
    """
    One row for each picture that has a positive.

    :ivar names: of the pictures.
    :ivar structure: ranks under the structural branch, int ``[n]``, from 1.
    :ivar rgb: ranks under the RGB branch, int ``[n]``.
    :ivar groups: indices of `GROUPS`, int ``[n]``.
    :ivar weights: float ``[n]``, 0..1.
    """

    names: Sequence[str]
    structure: np.ndarray
    rgb: np.ndarray
    groups: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], structure: np.ndarray, rgb: np.ndarray, right: int
           ) -> SampleWeights:
        """Partition samples and weigh them; ``right`` is the rank n."""
        return cls(names, structure, rgb, partition(structure, rgb, right),
                   sample_weight(structure, rgb, right))

    def counts(self) -> dict[str, int]:
        """Return how many samples each group has."""
        return {name: int((self.groups == i).sum()) for i, name in enumerate(GROUPS)}

    def write(self, path: Path) -> None:
        """Write a table to be looked at."""
        with path.open('w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['name', 'rank_structure', 'rank_rgb', 'group', 'weight'])
            for row in zip(self.names, self.structure, self.rgb, self.groups, self.weights):
                writer.writerow([row[0], row[1], row[2], GROUPS[row[3]], f'{row[4]:.6f}'])

    @classmethod
    def read(cls, path: Path) -> SampleWeights:
        """
        Read a table; it may have been edited.

        :raises ValueError: it is none; the text names the file.
        """
        try:
            with path.open(newline='') as file:
                rows = list(csv.DictReader(file))
            return cls([row['name'] for row in rows],
                       np.array([int(row['rank_structure']) for row in rows]),
                       np.array([int(row['rank_rgb']) for row in rows]),
                       np.array([GROUPS.index(row['group']) for row in rows]),
                       np.array([float(row['weight']) for row in rows]))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f'{path} is no table of sample weights: {error}') from error

    def plot(self, path: Path, right: int) -> None:
        """Draw the weighting function, and the samples on it."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        side = 3 * right
        ranks = np.arange(1, side + 1)
        figure = Figure(figsize=(6, 5))
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        drawn = axes.imshow(sample_weight(ranks[None], ranks[:, None], right), origin='lower',
                            extent=(0.5, side + 0.5, 0.5, side + 0.5), vmin=0, vmax=1)
        figure.colorbar(drawn, label='weight')
        shift = np.random.default_rng(0).uniform(-0.35, 0.35, (2, len(self.weights)))
        axes.plot(np.minimum(self.structure, side) + shift[0],
                  np.minimum(self.rgb, side) + shift[1], 'w.', markersize=3, alpha=0.6)
        axes.set(xlabel='rank under the structural branch (x)', ylabel='rank under RGB (y)',
                 title=', '.join(f'{name} {count}' for name, count in self.counts().items()))
        figure.savefig(path, dpi=110)


def partition(structure: np.ndarray, rgb: np.ndarray, right: int) -> np.ndarray:
    """
    Return the group of each sample.

    :param structure: ranks, from 1.
    :param rgb: ranks, from 1.
    :param right: largest rank that counts as right.
    :returns: indices of `GROUPS`.
    """
    taught, known = structure <= right, rgb <= right
    return np.where(taught, np.where(known, 0, 1), np.where(known, 2, 3))


def sample_weight(structure: np.ndarray, rgb: np.ndarray, right: int) -> np.ndarray:
    """Return the weights of the module's equation, 0..1; shapes are broadcast."""
    x, y = np.asarray(structure, float), np.asarray(rgb, float)
    sure = np.where(x <= right, np.cos(np.pi / 2 * np.minimum(1.0, (x - 1) / right)) ** 2, 0.0)
    return sure * y / (x + y)


def best_positive_ranks(alike: np.ndarray, positive: np.ndarray, usable: np.ndarray
                        ) -> np.ndarray:
    """
    Return the rank of the best positive of each query.

    :param alike: similarities, ``[queries, places]``.
    :param positive: which places are the query's, bool of the same shape, one or more a row.
    :param usable: which places count: neither the query itself nor what is perhaps the same.
    :returns: int ``[queries]``, 1 where the best positive comes first.
    """
    best = np.where(positive, alike, -np.inf).max(1)
    wrong = usable & ~positive & (alike >= best[:, None])
    return 1 + wrong.sum(1)
