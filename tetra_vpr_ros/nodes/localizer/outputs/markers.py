# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What RViz draws: places, belief and match as markers."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import ColorRGBA, Header
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.mapping.calibration.distinctiveness import distinctiveness
from tetra_vpr_ros.mapping.map.places import evenly
from tetra_vpr_ros.nodes.localizer.conversions import pose_message
from visualization_msgs.msg import Marker, MarkerArray

# Flat arrows: tip, left and right of the tail, in lengths of an arrow; their mean is the place.
_ARROW = np.array([[2 / 3, 0.0, 0.0], [-1 / 3, 0.3, 0.0], [-1 / 3, -0.3, 0.0]])
_LONGEST = 0.6         # metres of an arrow, at most nine tenths of the map's spacing
_UNKNOWN = ColorRGBA(r=0.55, g=0.6, b=0.65, a=0.9)
# From look-alike to distinct, after cividis, which the colour-blind tell apart, too.
_DISTINCT = np.array([[0.99, 0.91, 0.21], [0.65, 0.62, 0.45], [0.48, 0.48, 0.48],
                      [0.25, 0.36, 0.58], [0.0, 0.30, 0.66]])
_SHADES = [ColorRGBA(a=0.9, **{name: float(np.interp(at, np.linspace(0, 1, len(_DISTINCT)), part))
                               for name, part in zip('rgb', _DISTINCT.T)})
           for at in np.linspace(0, 1, 64)]
_SPHERES = 60          # that show the belief at most
_LEAST_SPHERE = 0.001  # belief below which no sphere is drawn
_WHOLE_SPHERE = 2.0    # metres: diameter of all belief in one place


def places_marker(places: MappedPlaces, frame_id: str, limit: int) -> MarkerArray:
    """
    Draw the places of a map as arrows in the direction of view, coloured by distinctiveness.

    From yellow, where another place looks alike, to blue; grey where the map is not calibrated.
    All of them are one marker, of three corners for a place.

    :param places: of the map.
    :param frame_id: of the map.
    :param limit: how many are drawn at most.
    """
    marker = Marker(header=Header(frame_id=frame_id), ns='places', id=0,
                    type=Marker.TRIANGLE_LIST, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = 1.0
    table, rows = places.table, evenly(len(places.table), limit)
    if not len(rows):
        marker.action = Marker.DELETE
        return MarkerArray(markers=[marker])
    length = min(_LONGEST, 0.9 * places.spacing)
    turns = Rotation.from_quat(table.quaternions[rows])
    corners = np.stack([table.positions[rows] + turns.apply(length * corner)
                        for corner in _ARROW], axis=1)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in corners.reshape(-1, 3).tolist()]
    marker.colors = [colour for colour in _colours(places, rows) for _ in range(3)]
    return MarkerArray(markers=[marker])


def _colours(places: MappedPlaces, rows: NDArray[np.int64]) -> list[ColorRGBA]:
    """Return the colours of places; shades are shared, for many messages take their time."""
    if places.calibration is None:
        return [_UNKNOWN] * len(rows)
    distinct = distinctiveness(places.table, rows, places.calibration)
    return [_SHADES[shade] for shade in np.rint(distinct * (len(_SHADES) - 1)).astype(int)]


def match_marker(estimate: Estimate, frame_id: str, stamp: Time) -> MarkerArray:
    """Draw the current match as an arrow: green when accepted, red when not."""
    marker = Marker(header=Header(frame_id=frame_id, stamp=stamp), ns='match', id=1,
                    type=Marker.ARROW, action=Marker.ADD)
    if estimate.pose is None:
        marker.action = Marker.DELETE
        return MarkerArray(markers=[marker])
    marker.pose = pose_message(estimate.pose)
    marker.scale.x, marker.scale.y, marker.scale.z = 1.0, 0.2, 0.2
    marker.color = (ColorRGBA(r=0.1, g=0.9, b=0.1, a=1.0) if estimate.accepted
                    else ColorRGBA(r=0.9, g=0.1, b=0.1, a=0.6))
    return MarkerArray(markers=[marker])


def belief_markers(believed: Believed, positions: NDArray[np.float64], frame_id: str,
                   stamp: Time) -> MarkerArray:
    """
    Draw the belief as spheres whose disc grows with it; those of the frame before vanish.

    :param believed: of a moment.
    :param positions: of all places, ``[n, 3]``.
    :param frame_id: of the map.
    :param stamp: of the frame.
    """
    header = Header(frame_id=frame_id, stamp=stamp)
    markers = [Marker(header=header, ns='belief', action=Marker.DELETEALL)]
    for number, row in enumerate(believed.strongest(_SPHERES, _LEAST_SPHERE)):
        marker = Marker(header=header, ns='belief', id=number, type=Marker.SPHERE,
                        action=Marker.ADD, color=ColorRGBA(r=0.9, g=0.6, b=0.0, a=0.5))
        position, size = marker.pose.position, float(believed.places[row])
        position.x, position.y, position.z = positions[row].tolist()
        marker.pose.orientation.w = 1.0
        marker.scale.x = marker.scale.y = marker.scale.z = _WHOLE_SPHERE * math.sqrt(size)
        markers.append(marker)
    return MarkerArray(markers=markers)
