# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Laps through free space: a closed tour, and a second one driven differently."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from tetra_vpr_ros.simulation.floor_plan import FloorPlan
from tetra_vpr_ros.simulation.level import Pose2D, WorldError

Path2D = NDArray[np.float64]  # [n, 2] metres


def _grid_graph(plan: FloorPlan) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Connect free cells to their 8 neighbours; tight passages cost more."""
    cells = np.argwhere(plan.free)
    index = np.full(plan.free.shape, -1)
    index[tuple(cells.T)] = np.arange(len(cells))
    cost = 1.0 + 2.0 * np.exp(-plan.clearance[tuple(cells.T)] / 0.5)
    sources, targets, weights = [], [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        moved = cells + np.array([dr, dc])
        inside = ((moved >= 0) & (moved < plan.free.shape)).all(1)
        neighbour = np.full(len(cells), -1)
        neighbour[inside] = index[tuple(moved[inside].T)]
        a = np.flatnonzero(neighbour >= 0)
        b = neighbour[a]
        sources.append(a)
        targets.append(b)
        weights.append(math.hypot(dr, dc) * plan.cell * (cost[a] + cost[b]) / 2)
    a, b, w = (np.concatenate(part) for part in (sources, targets, weights))
    graph = sparse.csr_matrix((w, (a, b)), (len(cells), len(cells)))
    return graph + graph.T, cells


def plan_lap(plan: FloorPlan, stops: int = 12) -> Path2D:
    """
    Plan a closed tour through free space.

    Stops are spread by farthest-point sampling over walking distance, ordered
    by a greedy tour improved with 2-opt, and joined by shortest paths that
    keep away from walls.

    :param plan: the level.
    :param stops: places to visit.
    :returns: Path of about one cell between points, first point repeated at the end.
    :raises WorldError: there is too little free space.
    """
    graph, cells = _grid_graph(plan)
    if len(cells) < 100:
        raise WorldError(f'only {len(cells)} free cells: no room for a lap')
    clearance = plan.clearance[tuple(cells.T)]
    # A stop against a wall shows the camera nothing but that wall.
    open_space = clearance >= min(1.2, float(np.quantile(clearance, 0.7)))
    chosen = [int(np.argmax(clearance))]
    distances = [csgraph.dijkstra(graph, indices=chosen[0])]
    while len(chosen) < stops:
        nearest = np.min(distances, axis=0)
        chosen.append(int(np.argmax(np.where(np.isfinite(nearest) & open_space, nearest, -1))))
        distances.append(csgraph.dijkstra(graph, indices=chosen[-1]))
    between = np.array([d[chosen] for d in distances])
    order = [0]
    while len(order) < stops:
        rest = [i for i in range(stops) if i not in order]
        order.append(min(rest, key=lambda i: between[order[-1], i]))
    order = _two_opt(order, between)
    legs = []
    for a, b in zip(order, order[1:] + order[:1]):
        _, before = csgraph.dijkstra(graph, indices=chosen[a], return_predecessors=True)
        node, leg = chosen[b], []
        while node != chosen[a]:
            leg.append(node)
            node = int(before[node])
        legs += leg[::-1]
    path = np.array([plan.to_point(*cells[i]) for i in legs])
    path = _smooth(plan, path)
    return np.vstack([path, path[:1]])


def _two_opt(order: list[int], between: NDArray[np.float64]) -> list[int]:
    """Undo crossings of a closed tour until none is left."""
    n, better = len(order), True
    while better:
        better = False
        for i in range(1, n - 1):
            for j in range(i + 1, n):
                a, b = order[i - 1], order[i]
                c, d = order[j], order[(j + 1) % n]
                if between[a, c] + between[b, d] < between[a, b] + between[c, d] - 1e-9:
                    order[i:j + 1] = order[i:j + 1][::-1]
                    better = True
    return order


def _smooth(plan: FloorPlan, path: Path2D, sigma: float = 3.0) -> Path2D:
    """Round the corners of a closed path where clearance allows it."""
    smooth = ndimage.gaussian_filter1d(path, sigma, axis=0, mode='wrap')
    safe = np.array([plan.clearance_at(x, y) > 0.45 for x, y in smooth])
    # Blend back to the planned path around unsafe points rather than jump.
    trust = ndimage.minimum_filter1d(safe.astype(float), 9, mode='wrap')
    trust = ndimage.gaussian_filter1d(trust, 2.0, mode='wrap')[:, None]
    return np.asarray(trust * smooth + (1 - trust) * path)


def drive(path: Path2D, step: float, start: float = 0.0, look_ahead: float = 0.8) -> list[Pose2D]:
    """
    Drive along a closed path.

    :param path: ``[n, 2]``, closed.
    :param step: metres between poses.
    :param start: where on the path to begin, as a share of its length.
    :param look_ahead: the heading points at the path this far ahead, metres, and
        turns at most 12 degrees a step, as a robot does.
    """
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    total = float(lengths[-1])

    def at(s: NDArray[np.float64]) -> Path2D:
        s = np.mod(s, total)
        return np.stack([np.interp(s, lengths, path[:, k]) for k in (0, 1)], axis=1)

    s = start * total + np.arange(0, total, step)
    here, ahead = at(s), at(s + look_ahead)
    yaw = np.unwrap(np.arctan2(*(ahead - here).T[::-1]))
    limit = math.radians(12)
    for i in range(1, len(yaw)):
        yaw[i] = yaw[i - 1] + np.clip(yaw[i] - yaw[i - 1], -limit, limit)
    return [Pose2D(float(x), float(y), float(a)) for (x, y), a in zip(here, yaw)]


def second_lap(plan: FloorPlan, poses: list[Pose2D], rng: np.random.Generator,
               lateral: tuple[float, float] = (0.3, 0.6),
               heading_deg: float = 10.0) -> list[Pose2D]:
    """
    Shift a lap sideways and turn it, smoothly, within free space.

    :param plan: the level; where the offset would hit a wall it is smaller.
    :param poses: of a lap.
    :param rng: source of randomness.
    :param lateral: smallest and largest sideways offset, metres.
    :param heading_deg: heading offsets are uniform within plus and minus this.
    """
    count = len(poses)
    knots = max(4, count // 60)
    at = np.linspace(0, count - 1, knots)
    offset = np.interp(np.arange(count), at, rng.uniform(*lateral, knots)
                       * rng.choice([-1, 1], knots)[0])
    turn = np.interp(np.arange(count), at, rng.uniform(-heading_deg, heading_deg, knots))

    def moved(pose: Pose2D, side: float) -> tuple[float, float]:
        return pose.x - math.sin(pose.yaw) * side, pose.y + math.cos(pose.yaw) * side

    shares = np.array([
        next((share for share in (1.0, 0.75, 0.5, 0.25)
              if plan.clearance_at(*moved(pose, side * share)) > 0.4), 0.0)
        for pose, side in zip(poses, offset)])
    # Ease in and out of a narrow place: a robot does not jump sideways.
    shares = ndimage.gaussian_filter1d(ndimage.minimum_filter1d(shares, 7), 2.0)
    return [Pose2D(*moved(pose, side * share), pose.yaw + float(angle))
            for pose, side, share, angle in zip(poses, offset, shares, np.radians(turn))]
