# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is known of one moment of a drive, as the live view shows it."""

from __future__ import annotations

import math
from typing import TypedDict

from tetra_vpr_ros.localization import Estimate
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.pose import headings, Pose

BELIEF_SHOWN, LEAST_BELIEF = 300, 1e-3
"""Places whose belief is drawn at most, and the share from which it is."""


class Moment(TypedDict, total=False):
    """
    What is known of now; what is not known is left out, or None.

    :ivar state: ``localized``, ``searching``, ``unknown place`` or ``no images``.
    :ivar detail: why, in words.
    :ivar source: where it comes from, in words.
    :ivar place: id of the place.
    :ivar confidence: 0..1.
    :ivar distance: bits.
    :ivar score: of the second look, 0..1.
    :ivar latency_ms: from the image's arrival to its estimate.
    :ivar pose: x and y in metres, heading in radians; of an accepted match.
    :ivar ellipse: covariance of x and y: xx, xy, yy, metres squared.
    :ivar candidates: x and y of each, best first.
    :ivar belief: x, y and share of each place that holds some, the most first.
    :ivar progress: frames of a bag that are done, and how many it has.
    """

    state: str
    detail: str
    source: str
    place: int | None
    confidence: float | None
    distance: int | None
    score: float | None
    latency_ms: float | None
    pose: tuple[float, float, float] | None
    ellipse: tuple[float, float, float] | None
    candidates: list[tuple[float, float]]
    belief: list[tuple[float, float, float]]
    progress: tuple[int, int] | None


def heading(pose: Pose) -> float:
    """Return where a pose looks on the plane, radians."""
    return float(headings(pose.quaternion[None])[0])


def moment_of(estimate: Estimate, believed: Believed | None, table: PlaceTable) -> Moment:
    """
    Return what the live view shows of an estimate.

    :param estimate: of a frame.
    :param believed: None where no belief is kept.
    :param table: the map's places.
    """
    moment: Moment = {
        'state': 'localized' if estimate.accepted else
                 'unknown place' if estimate.unknown else 'searching',
        'detail': estimate.rejection or f'at place {estimate.place_id}',
        'place': estimate.place_id, 'distance': estimate.distance,
        'confidence': round(estimate.confidence, 4),
        'score': None if math.isnan(estimate.score) else round(estimate.score, 4),
        'candidates': [(round(float(one.pose.position[0]), 3),
                        round(float(one.pose.position[1]), 3)) for one in estimate.candidates],
        'pose': None, 'ellipse': None, 'belief': []}
    if estimate.pose is not None and estimate.accepted:
        x, y = (float(value) for value in estimate.pose.position[:2])
        moment['pose'] = (x, y, heading(estimate.pose))
        xx, xy, yy = (float(estimate.covariance[at]) for at in ((0, 0), (0, 1), (1, 1)))
        moment['ellipse'] = (xx, xy, yy)
    if believed is not None:
        moment['belief'] = [
            (round(float(table.positions[row, 0]), 3), round(float(table.positions[row, 1]), 3),
             round(float(believed.places[row]), 4))
            for row in believed.strongest(BELIEF_SHOWN, LEAST_BELIEF)]
    return moment
