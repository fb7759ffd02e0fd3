# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.localization.belief.belief import MotionModel, PlaceBelief
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from tetra_vpr_ros.mapping.motion import motion_between
from worlds import at


def belief_of(count=100, breaks=(), **model):
    poses = [at(float(i)) for i in range(count)]
    graph = PlaceGraph(np.array([p.position for p in poses]),
                       np.array([p.quaternion for p in poses]), 1.0, np.radians(15))
    return PlaceBelief(graph, np.array(breaks, np.int64), MotionModel(**model))


def known(belief, place):
    weights = np.zeros(belief.graph.size)
    weights[place] = 1.0
    belief.set_prior(weights, 0.05)
    return belief


def seen(belief, place, nats=5.0, weight=1.0):
    said = np.full(belief.graph.size, -1.5, np.float32)
    said[place] = nats
    belief.observe(np.float32(weight) * said)


def total(belief):
    return belief.places.sum() + belief.off_map


def test_it_starts_knowing_nothing():
    belief = belief_of()
    assert belief.off_map == pytest.approx(0.1)
    assert np.allclose(belief.places, 0.009)


@pytest.mark.parametrize('seconds, novelty', [(0.1, 0.3), (1.0, 1.0), (0.0, 0.0), (30.0, 1.0)])
def test_probability_is_kept(seconds, novelty):
    belief = known(belief_of(), 50)
    for _ in range(20):
        belief.walk(seconds, novelty)
        seen(belief, 50)
        assert total(belief) == pytest.approx(1.0, abs=1e-4)
        assert (belief.places >= 0).all()
        belief.drive(at(seconds), seconds)
        assert total(belief) == pytest.approx(1.0, abs=1e-4)


def test_a_walk_is_bounded_by_the_speed():
    belief = known(belief_of(max_speed=2.0, enter_rate=0.0), 50)
    for _ in range(4):
        belief.walk(1.0, 1.0)
    # Besides, belief may step to a neighbour, two places at the most, now and then.
    assert belief.places[50 - 17:50 + 18].sum() == pytest.approx(1 - belief.off_map, abs=1e-4)
    inside = belief.places[50 - 9:50 + 10].sum() / belief.places.sum()
    assert inside > 0.95


def test_a_view_that_does_not_change_says_that_the_robot_stands():
    still, moving = known(belief_of(), 50), known(belief_of(), 50)
    for _ in range(5):
        still.walk(1.0, 0.05)
        moving.walk(1.0, 1.0)
    assert still.places[49:52].sum() > 0.8
    assert moving.places[49:52].sum() < 0.3


def test_odometry_moves_belief_and_can_come_and_go():
    belief = known(belief_of(), 50)
    for _ in range(10):
        belief.drive(at(1.0), 1.0)
    assert abs(int(np.argmax(belief.places)) - 60) <= 1
    assert belief.places[56:65].sum() > 0.75
    belief.walk(0.1, 0.2)  # it stops
    belief.drive(at(3.0), 3.0)  # and comes back, with a longer step
    assert abs(int(np.argmax(belief.places)) - 63) <= 1


@pytest.mark.parametrize('way', [0.5, 0.8, 1.0])
@pytest.mark.parametrize('count', [60, 600])
def test_belief_keeps_up_with_odometry_where_nothing_is_seen(count, way):
    """In a map of few places, too, where an even share is not far below that of a known place."""
    belief = known(belief_of(count=count, leave_rate=0.0, enter_rate=0.0), 10)
    for _ in range(round(30 / way)):
        belief.drive(at(way), way)
    mass = belief.places
    driven = 10 + round(30 / way) * way
    assert mass @ np.arange(count) / mass.sum() == pytest.approx(driven, abs=0.6)


def test_nothing_crosses_from_one_traverse_into_the_next():
    poses = [at(float(i)) for i in range(20)] + [at(i + 500.0) for i in range(20)]
    graph = PlaceGraph(np.array([p.position for p in poses]),
                       np.array([p.quaternion for p in poses]), 1.0, np.radians(15))
    for start, other in ((18, slice(20, 40)), (21, slice(0, 20))):
        belief = known(PlaceBelief(graph, np.array([20]), MotionModel(enter_rate=0.0)), start)
        for _ in range(4):
            belief.walk(1.0, 1.0)
        assert belief.places[other].max() == 0.0


def test_evidence_against_every_place_leads_off_the_map_and_for_one_back():
    belief = known(belief_of(), 50)
    frames = 0
    while belief.off_map < 0.9:
        belief.walk(0.5, 1.0)
        belief.observe(np.full(100, -2.0, np.float32))
        frames += 1
    assert frames < 12
    frames = 0
    while belief.places[75:80].sum() < 0.9:  # kidnapped: carried to another place
        belief.walk(0.0, 1.0)
        seen(belief, 77, 3.0)
        frames += 1
    assert frames < 10


def test_a_frame_without_weight_teaches_nothing():
    belief = belief_of()
    before = belief.places.copy()
    seen(belief, 3, weight=0.0)
    assert np.array_equal(before, belief.places)


def test_after_a_long_time_nothing_is_known_any_more():
    for step in (lambda b: b.walk(1000.0, 1.0), lambda b: b.drive(at(1000.0), 1.0)):
        belief = known(belief_of(), 50)
        step(belief)
        assert belief.places.max() < 1.1 * belief.places.min()


def test_belief_that_is_even_stays_where_it_is():
    belief = belief_of(enter_rate=0.0, leave_rate=0.0)
    belief.drive(at(1.0), 1.0)
    assert np.allclose(belief.places, belief.places[0])
    known(belief, 20)
    belief.drive(at(1.0), 1.0)
    assert np.argmax(belief.places) == 21


@pytest.mark.parametrize('between', [4, 8, 12])
def test_belief_follows_a_bend_where_frames_are_rare(between):
    ring = [at(5.0 * np.sin(0.1 * i), 5.0 - 5.0 * np.cos(0.1 * i), np.degrees(0.1 * i))
            for i in range(60)]
    graph = PlaceGraph(np.array([p.position for p in ring]),
                       np.array([p.quaternion for p in ring]), 0.5, np.radians(15))
    belief = known(PlaceBelief(graph, np.array([0])), 10)
    motion = motion_between(ring[10], ring[10 + between])
    belief.drive(motion, graph.way(motion))
    assert ring[int(belief.places.argmax())].distance_to(ring[10 + between]) < 0.6  # a place
