# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Global retrieval first, then a geometric look at the best places: the field's second table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
import time

import numpy as np
from tetra_vpr_ros.evaluation.recognition.dataset import read_image
from tetra_vpr_ros.evaluation.recognition.metrics import Answers
from tetra_vpr_ros.localization.verification import compare
from tetra_vpr_ros.vision.local_features import extract_features, LocalFeatures
from tqdm import tqdm


def rerank(answers: Answers, database: Sequence[Path], queries: Sequence[Path], method: str,
           top: int = 10) -> Answers:
    """
    Order the best places of each query by the inliers of a view geometry.

    Features of the places are computed before the clock runs: a map stores them.

    :param answers: of global retrieval.
    :param database: image files of the places.
    :param queries: image files of the queries.
    :param method: of `verification.compare`: ``orb`` or ``homography``.
    :param top: how many places are looked at.
    :returns: the same with another order, and the seconds that it took added; the score is
        the number of inliers, and nothing is accepted or refused.
    :raises DatasetError: an image cannot be read.
    """
    @cache
    def features(place: int) -> LocalFeatures:
        return extract_features(read_image(database[place]))

    ranked, scores = answers.ranked.copy(), np.zeros(len(queries))
    seconds = answers.seconds.copy()
    for row, path in enumerate(tqdm(queries, desc=f're-ranking/{method}', unit='query',
                                    leave=False)):
        looked = [int(place) for place in ranked[row, :top] if place >= 0]
        references = [features(place) for place in looked]
        image = read_image(path)
        began = time.perf_counter()
        own = extract_features(image)
        inliers = np.array([compare(own, reference, method).inliers for reference in references])
        seconds[row] += time.perf_counter() - began
        order = np.argsort(-inliers, kind='stable')  # ties stay in the order of retrieval
        ranked[row, :len(looked)] = np.array(looked)[order]
        scores[row] = inliers.max(initial=0)
    return replace(answers, ranked=ranked, scores=scores, accepted=None, seconds=seconds)
