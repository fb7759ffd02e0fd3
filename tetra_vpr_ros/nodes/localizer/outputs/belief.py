# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The belief as messages; made only while somebody listens."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.nodes.localizer.outputs.markers import belief_markers
from visualization_msgs.msg import MarkerArray

_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('belief', '<f4'),
                   ('place', '<u4')])
_MOST = 1000     # points of a cloud: 20 kB
_LEAST = 1e-4    # belief below which a place is left out
_LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def belief_cloud(believed: Believed, table: PlaceTable, frame_id: str, stamp: Time
                 ) -> PointCloud2:
    """
    Return the places that hold belief as points with ``belief`` and the id of the ``place``.

    Their beliefs, that of being off the map and what is spread thinner add up to one.

    :param believed: of a moment.
    :param table: the map's places.
    :param frame_id: of the map.
    :param stamp: of the frame.
    """
    rows = believed.strongest(_MOST, _LEAST)
    points = np.empty(len(rows), _POINT)
    points['x'], points['y'], points['z'] = table.positions[rows].T
    points['belief'], points['place'] = believed.places[rows], table.ids[rows]
    fields = [PointField(name=name, offset=4 * number, datatype=PointField.UINT32
                         if name == 'place' else PointField.FLOAT32, count=1)
              for number, name in enumerate(_POINT.names or ())]
    return PointCloud2(
        header=Header(frame_id=frame_id, stamp=stamp), height=1, width=len(rows), fields=fields,
        is_bigendian=False, point_step=_POINT.itemsize, row_step=points.nbytes,
        data=points.tobytes(), is_dense=True)


def belief_from_cloud(message: PointCloud2) -> np.ndarray[Any, Any]:
    """
    Return the points of `belief_cloud`: fields x, y, z, belief, place.

    :raises ValueError: the message is another cloud.
    """
    names = [field.name for field in message.fields]
    if names != list(_POINT.names or ()) or message.point_step != _POINT.itemsize:
        raise ValueError(f"a cloud of {', '.join(names) or 'nothing'} is no belief")
    if len(message.data) % _POINT.itemsize:
        raise ValueError(f'{len(message.data)} bytes are no whole points')
    return np.frombuffer(bytes(message.data), _POINT)


class BeliefOutputs:
    """
    The belief on ``vpr/belief``, and as spheres for RViz on ``vpr/belief_markers``.

    :param make: makes a publisher of a type, a topic and a quality of service.
    :param frame_id: of the map.
    """

    def __init__(self, make: Any, frame_id: str) -> None:
        """Create the publishers."""
        self._frame_id = frame_id
        self._cloud = make(PointCloud2, 'vpr/belief', _LATEST)
        self._markers = make(MarkerArray, 'vpr/belief_markers', _LATEST)

    @property
    def awaited(self) -> bool:
        """Tell whether anybody listens; else the belief need not even be read."""
        return bool(self._cloud.get_subscription_count()
                    or self._markers.get_subscription_count())

    def publish(self, believed: Believed, table: PlaceTable, stamp: Time) -> None:
        """Publish a belief to those who listen."""
        if self._cloud.get_subscription_count():
            self._cloud.publish(belief_cloud(believed, table, self._frame_id, stamp))
        if self._markers.get_subscription_count():
            self._markers.publish(belief_markers(believed, table.positions, self._frame_id,
                                                 stamp))
