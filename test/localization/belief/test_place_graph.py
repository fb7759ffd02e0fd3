# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.place_graph import _turns, PlaceGraph
from tetra_vpr_ros.mapping.motion import compose, motion_between, share_of, STILL
from tetra_vpr_ros.mapping.pose import Pose
from worlds import at

ANGLE = np.radians(15)


def graph_of(poses):
    return PlaceGraph(np.array([p.position for p in poses]),
                      np.array([p.quaternion for p in poses]), 1.0, ANGLE)


@pytest.fixture
def corridor():
    """Forty places along x."""
    return graph_of([at(float(i)) for i in range(40)])


def mass_at(graph, state):
    mass = np.zeros((1, graph.size), np.float32)
    mass[0, state] = 1.0
    return mass


def carried(mass, states, steps):
    after = mass.copy()
    after[0, states] = 0.0
    np.add.at(after[0], steps.target, mass[0, states][steps.source] * steps.share)
    return after


def spread(graph, mass, states, share):
    return carried(mass, states, graph.sidesteps(np.array(states), share))


def moved(graph, mass, motion):
    states = np.flatnonzero(mass[0] > 0)
    return carried(mass, states, graph.moves(states, motion, (0.3, 0.2)))


def test_a_step_ahead_moves_belief_by_a_place(corridor):
    after = moved(corridor, mass_at(corridor, 10), at(1.0))
    assert np.argmax(after[0]) == 11
    assert after[0, 11] > 0.85
    assert 0.9 < after.sum() <= 1.0
    back = moved(corridor, mass_at(corridor, 10), at(-1.0))
    assert np.argmax(back[0]) == 9


def test_half_a_step_keeps_the_mean(corridor):
    after = moved(corridor, mass_at(corridor, 10), at(0.5))[0]
    assert after @ np.arange(40) / after.sum() == pytest.approx(10.5, abs=0.05)


def test_a_motion_that_the_map_does_not_know_leads_off_it(corridor):
    sideways = moved(corridor, mass_at(corridor, 10), at(0.0, 1.5))
    turned = moved(corridor, mass_at(corridor, 10), at(0.0, 0.0, 60))
    past_the_end = moved(corridor, mass_at(corridor, 39), at(1.0))
    for after in (sideways, turned, past_the_end):
        assert after.sum() < 0.3


def test_a_turn_on_the_spot_follows_the_places_that_turn():
    poses = [at(0.0, 0.0, 15.0 * i) for i in range(12)]
    graph = graph_of(poses)
    after = moved(graph, mass_at(graph, 3), at(0.0, 0.0, 15))
    assert np.argmax(after[0]) == 4
    assert graph.way(at(0.0, 0.0, 15)) == pytest.approx(1.0)
    assert graph.way(at(2.0)) == pytest.approx(2.0)


def test_spreading_keeps_the_mass_and_joins_traverses_that_run_side_by_side():
    graph = graph_of([at(float(i)) for i in range(20)] + [at(i + 0.5, 0.4) for i in range(20)])
    mass = mass_at(graph, 5)
    after = spread(graph, mass, [5], 0.3)
    assert after.sum() == pytest.approx(1.0)
    assert after[0, 5] > 0.7
    assert after[0, 20:].sum() > 0.05
    against = graph_of([at(float(i)) for i in range(20)]
                       + [at(float(i), 0.0, 180) for i in range(20)])
    assert spread(against, mass, [5], 0.3)[0, 20:].sum() == 0  # another view


def test_motions_compose_and_divide():
    rng = np.random.default_rng(1)
    first, second = (type(STILL)(rng.normal(size=3), Rotation.random(random_state=i).as_quat())
                     for i in (1, 2))
    motion = motion_between(first, second)
    reached = compose(first, motion)
    assert np.allclose(reached.position, second.position)
    assert reached.angle_to(second) < 1e-6
    assert compose(first, STILL).distance_to(first) == 0
    assert share_of(at(2.0), 0.25).distance_to(at(0.5)) < 1e-9


@pytest.mark.parametrize('degrees', [0.0, 1e-9, 0.004, 0.01, 5.0, 90.0, 179.9, 180.0])
@pytest.mark.parametrize('parts', [1, 2, 7])
def test_a_motion_is_made_of_its_parts(degrees, parts, rng):
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
    motion = Pose(rng.normal(size=3), turn.as_quat())
    part, reached = share_of(motion, 1.0 / parts), STILL
    for _ in range(parts):
        reached = compose(reached, part)
    assert reached.distance_to(motion) < 1e-9
    assert reached.angle_to(motion) < 1e-6


def test_part_of_a_bend_lies_on_it():
    quarter = Pose(np.array([5.0, 5.0, 0.0]), at(0.0, 0.0, 90).quaternion)
    third = share_of(quarter, 1.0 / 3.0)
    assert np.allclose(third.position, [2.5, 5.0 - 5.0 * np.cos(np.radians(30)), 0.0])
    assert third.angle_to(at(0.0, 0.0, 30)) < 1e-6


def test_turns_are_those_of_scipy():
    begin, end = (Rotation.random(500, random_state=seed).as_quat() for seed in (1, 2))
    end[:20], end[20:40] = begin[:20], -begin[20:40]  # no turn at all
    wanted = (Rotation.from_quat(begin).inv() * Rotation.from_quat(end)).as_rotvec()
    assert np.allclose(_turns(begin, end), wanted, atol=1e-12)
