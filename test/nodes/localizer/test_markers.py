# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What RViz is given to draw, and the belief for programs."""

from dataclasses import replace

from builtin_interfaces.msg import Time
import numpy as np
import pytest
from sample_data import walk_descriptors
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from tetra_vpr_ros.localization import Candidate, Estimate
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.mapping import Pose
from tetra_vpr_ros.mapping.calibration import calibrate
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.nodes.localizer.outputs.belief import belief_cloud, belief_from_cloud
from tetra_vpr_ros.nodes.localizer.outputs.markers import (
    belief_markers, match_marker, places_marker)
from visualization_msgs.msg import Marker

STAMP = Time(sec=5, nanosec=7)


@pytest.fixture(scope='module')
def places():
    """Return 100 places along x that look along y; places 20 and 80 look the same."""
    count = 100
    descriptors = walk_descriptors(np.random.default_rng(3), count)
    descriptors[80] = descriptors[20]
    table = PlaceTable(
        np.arange(1, count + 1), np.ones(count, int), np.arange(count),
        np.stack([np.arange(count) * 0.5, np.zeros(count), np.full(count, 2.0)], axis=1),
        np.tile(Rotation.from_euler('z', 90, degrees=True).as_quat(), (count, 1)),
        np.full((count, 3), np.nan), descriptors)
    return MappedPlaces(table, 256, calibrate(table), 0.5, 0.26)


def corners(marker):
    return np.array([(p.x, p.y, p.z) for p in marker.points]).reshape(-1, 3, 3)


def test_places_are_arrows_in_the_direction_of_view(places):
    marker, = places_marker(places, 'map', 10).markers
    assert (marker.type, marker.action) == (Marker.TRIANGLE_LIST, Marker.ADD)
    arrows = corners(marker)
    assert len(arrows) == 10
    assert np.allclose(arrows.mean(axis=1)[[0, -1]], places.table.positions[[0, -1]])
    ahead = arrows[:, 0] - arrows[:, 1:].mean(axis=1)
    assert np.allclose(ahead / np.linalg.norm(ahead, axis=1, keepdims=True), [0, 1, 0])
    assert np.linalg.norm(ahead, axis=1).max() <= places.spacing
    assert len(marker.colors) == len(marker.points)
    assert places_marker(places, 'map', 0).markers[0].action == Marker.DELETE


def test_places_that_look_alike_are_yellow_and_distinct_ones_blue(places):
    colours = places_marker(places, 'map', 1000).markers[0].colors[::3]
    alike, distinct = colours[20], colours[50]
    assert alike.r > 0.9 > 0.5 > alike.b
    assert distinct.b > 0.5 > distinct.r
    assert colours[80] == alike
    grey = places_marker(replace(places, calibration=None), 'map', 1000).markers[0].colors
    assert len({(colour.r, colour.g, colour.b) for colour in grey}) == 1


def test_the_match_is_green_or_red_or_gone():
    pose = Pose(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0.6, 0.8]))
    right = Estimate(3, pose, np.eye(6), 100, 0.9, '', (Candidate(3, 100, pose),))
    green = match_marker(right, 'map', STAMP).markers[0]
    red = match_marker(replace(right, rejection='far'), 'map', STAMP).markers[0]
    assert green.color.g > green.color.r
    assert red.color.r > red.color.g
    assert match_marker(replace(right, pose=None), 'map', STAMP).markers[0].action == Marker.DELETE


def believed(count=100):
    mass = np.zeros(count, np.float32)
    mass[[7, 40]] = 0.64, 0.16
    mass[50] = 0.0005
    return Believed(mass, 0.1995)


def test_belief_is_seen_as_sizes_whose_areas_compare(places):
    first, *spheres = belief_markers(believed(), places.table.positions, 'map', STAMP).markers
    assert first.action == Marker.DELETEALL  # spheres of the frame before
    assert [sphere.pose.position.x for sphere in spheres] == [3.5, 20.0]
    assert spheres[0].scale.x / spheres[1].scale.x == pytest.approx(2.0)
    assert {sphere.ns for sphere in (first, *spheres)} == {'belief'}
    assert len({sphere.id for sphere in spheres}) == 2


def test_belief_survives_its_message(places):
    message = belief_cloud(believed(), places.table, 'map', STAMP)
    assert (message.header.frame_id, message.header.stamp) == ('map', STAMP)
    assert message.width == 3
    assert [field.name for field in message.fields] == ['x', 'y', 'z', 'belief', 'place']
    assert message.fields[-1].datatype == PointField.UINT32
    points = belief_from_cloud(message)
    assert points['place'].tolist() == [8, 41, 51]
    assert points['belief'] == pytest.approx([0.64, 0.16, 0.0005])
    assert points['x'] == pytest.approx([3.5, 20.0, 25.0])
    with pytest.raises(ValueError, match='nothing is no belief'):
        belief_from_cloud(PointCloud2())
    message.data = message.data[:-1]
    with pytest.raises(ValueError, match='no whole points'):
        belief_from_cloud(message)
