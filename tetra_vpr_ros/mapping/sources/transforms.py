# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The track of one frame in another, through a tree of transforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack, TrackError, usual_gap
from tetra_vpr_ros.mapping.sources.recording.edge import Edge, Key, most_moving
from tetra_vpr_ros.mapping.sources.recording.leaps import without_leaps
from tetra_vpr_ros.mapping.sources.recording.pose_records import unsound
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock

_LONG_HELD = 10_000_000_000  # ns for which a transform is held that are worth a word
_FARTHEST_APART = 600_000_000_000  # ns between the stamps of transforms that came together

_Path = list[tuple[Key, bool]]


class TransformBuffer:
    """
    Transforms of ``/tf`` and ``/tf_static`` of a bag.

    `chain` then gives the track of one frame in another, through any edges.

    :ivar clock: of the edge that moves most, once `chain` was asked; its track is in the
        time of it.
    :ivar pose_times: stamps of that edge and when they were recorded, nanoseconds.
    :ivar notes: what `chain` left out or doubts, for a person.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.clock = RecordingClock()
        self.pose_times: tuple[Sequence[int], Sequence[int]] = (), ()
        self.notes: list[str] = []
        self._edges: dict[Key, Edge] = {}
        self._static: dict[Key, list[tuple[float, ...]]] = {}

    def add(self, parent: str, child: str, stamp: int, transform: Sequence[float],
            static: bool = False, received: int | None = None) -> None:
        """Add one transform: x y z qx qy qz qw of the child in the parent."""
        key = (parent.lstrip('/'), child.lstrip('/'))
        if static:
            self._static.setdefault(key, []).append(tuple(transform))
            return
        edge = self._edges.setdefault(key, Edge())
        edge.stamps.append(stamp)
        edge.received.append(stamp if received is None else received)
        edge.rows.append(tuple(transform))

    def frames(self) -> list[str]:
        """Return all frame names."""
        return sorted({name for key in (*self._edges, *self._static) for name in key})

    def chain(self, source: str, target: str, max_gap: int | None) -> PoseTrack:
        """
        Return the track of frame ``target`` in frame ``source``.

        Only the edges between the two matter. The track has a pose at each stamp of those
        that move at which all of them are known. One that comes more rarely than may be
        interpolated, as a localizer's correction does, is held while the edge that moves
        most is dense; one that is dated ahead is valid since it was sent.

        :param max_gap: nanoseconds between two transforms that may be interpolated; None
            takes what their rate suggests.
        :raises TrackError: a frame is unknown or the two are not connected; the
            known frames are listed. Or an edge has no sound transform.
        """
        path = self._path(source.lstrip('/'), target.lstrip('/'))
        edges = {key: self._sound(key) for key, _ in path if key in self._edges}
        if not edges:
            position, rotation, _ = self._compose(path, {}, np.zeros(1, np.int64), 0, set())
            return PoseTrack([0], position, rotation.as_quat())
        if not any(forward for key, forward in path if key in edges):
            self.notes.append(
                f'{target!r} is the parent of what moves, {source!r} its child: are --tf-frames '
                f'the wrong way round? Usual is --tf-frames {target} {source}')
        moving = most_moving(edges)
        edges[moving] = edges[moving].without_repeats()
        self.clock = RecordingClock(edges[moving].stamps, edges[moving].received)
        self.pose_times = edges[moving].stamps, edges[moving].received
        recorded = edges[moving]
        edges = {key: self._without_leaps(key, edge.in_time_of(self.clock, recorded))
                 for key, edge in edges.items()}
        edges = {key: edge if key == moving else self._of_one_clock(key, edge, edges[moving])
                 for key, edge in edges.items()}
        periods = {key: edge.period() for key, edge in edges.items()}
        gap = usual_gap(edges[moving].track().stamps) if max_gap is None else max_gap
        held = {key for key, period in periods.items() if period > gap >= periods[moving]}
        for key, edge in edges.items():
            if key != moving:
                edge.begin_when_sent(edges[moving], self.clock)
        tracks = {key: edge.track() for key, edge in edges.items()}
        self._tell_held(held, tracks, tracks[moving])
        # A step of what is held is not smeared over the poses beside it.
        times = np.unique(np.concatenate([
            *(track.stamps for track in tracks.values()),
            *(tracks[key].stamps - 1 for key in held)]))
        positions, rotations, known = self._compose(path, tracks, times, gap, held)
        if not known.any():
            raise TrackError(
                f'the transforms from {source!r} to {target!r} never overlap in time within '
                f'{gap / 1e9:g} s (--max-pose-gap): ' + ', '.join(
                    f'{_name(key)} has {len(track)} from {track.stamps[0] / 1e9:.3f} to '
                    f'{track.stamps[-1] / 1e9:.3f} s' for key, track in tracks.items()))
        return PoseTrack(times[known], positions[known], rotations.as_quat()[known])

    def _sound(self, key: Key) -> Edge:
        """Return the transforms of an edge that are any."""
        edge = self._edges[key]
        reasons = unsound(np.asarray(edge.rows, np.float64))
        return self._without_faults(key, edge, [
            f'the first {reason} at stamp {stamp} ns' if reason else ''
            for reason, stamp in zip(reasons, edge.stamps)])

    def _without_faults(self, key: Key, edge: Edge, faults: Sequence[str]) -> Edge:
        """Leave out the transforms that have a fault, and tell of the first; raise of all."""
        keep = [i for i, fault in enumerate(faults) if not fault]
        if len(keep) < len(faults):
            text = (f'{len(faults) - len(keep)} of {len(faults)} transforms {_name(key)} are left '
                    f'out, {next(filter(None, faults))}')
            if not keep:
                raise TrackError(text)
            self.notes.append(text)
        return edge.part(keep)

    def _without_leaps(self, key: Key, edge: Edge) -> Edge:
        try:
            keep, notes = without_leaps(edge.stamps, np.asarray(edge.rows)[:, :3])
        except TrackError as error:
            raise TrackError(f'{_name(key)}: {error}') from error
        self.notes += [f'{_name(key)}: {note}' for note in notes]
        return edge.part(keep.tolist())

    def _of_one_clock(self, key: Key, edge: Edge, moving: Edge) -> Edge:
        """Leave out what another clock dates, as a localizer does before its first scan."""
        apart = [stamp - self.clock.within_part(moving.now(received), stamp)
                 for stamp, received in zip(edge.stamps, edge.received)]
        return self._without_faults(key, edge, [
            f'dated by another clock than the robot moves, the first {offset / 1e9:+.3f} s off'
            if abs(offset) > _FARTHEST_APART else '' for offset in apart])

    def _tell_held(self, held: set[Key], tracks: dict[Key, PoseTrack], moving: PoseTrack
                   ) -> None:
        for key in sorted(held):
            ends = [*tracks[key].stamps, moving.stamps[-1]]
            longest = max(int(np.diff(ends).max()), 0)
            if longest > _LONG_HELD:
                self.notes.append(f'the transform {_name(key)} is held for up to '
                                  f'{longest / 1e9:.0f} s: nothing newer came')

    def _compose(self, path: _Path, tracks: dict[Key, PoseTrack], times: NDArray[np.int64],
                 gap: int, held: set[Key]
                 ) -> tuple[NDArray[np.float64], Rotation, NDArray[np.bool_]]:
        """Return positions, rotations, and where all edges are known."""
        known = np.ones(len(times), bool)
        position = np.zeros((len(times), 3))
        rotation = Rotation.identity(len(times))
        for key, forward in path:
            if key in tracks:
                step, turn, there = tracks[key].sample(times, gap, key in held)
                known &= there
            else:
                values = self._sound_static(key)
                step, turn = values[:3], Rotation.from_quat(values[3:])
            if not forward:
                turn = turn.inv()
                step = -turn.apply(step)
            position = position + rotation.apply(step)
            rotation = rotation * turn
        return position, rotation, known

    def _sound_static(self, key: Key) -> NDArray[np.float64]:
        """Return the newest static transform of an edge that is one."""
        rows = np.asarray(self._static[key], np.float64)
        reasons = unsound(rows)
        keep = [row for row, reason in zip(rows, reasons) if not reason]
        if not keep:
            raise TrackError(f'the static transform {_name(key)} is {reasons[-1]}')
        return np.asarray(keep[-1])

    def _path(self, source: str, target: str) -> _Path:
        """Find the edges from source to target; False marks those walked backwards."""
        known = self.frames()
        for name in (source, target):
            if name not in known:
                raise TrackError(f'no transform has the frame {name!r}; there are: '
                                 f"{', '.join(known) or 'none'}{self._no_static()}")
        routes: dict[str, _Path] = {source: []}
        queue = [source]
        while queue and target not in routes:
            here = queue.pop(0)
            for key in sorted({*self._edges, *self._static}):
                for one, other, forward in ((*key, True), (*key[::-1], False)):
                    if one == here and other not in routes:
                        routes[other] = [*routes[here], (key, forward)]
                        queue.append(other)
        if target not in routes:
            raise TrackError(f'{source!r} and {target!r} are not connected by transforms; '
                             f"frames: {', '.join(known)}{self._no_static()}")
        self._tell_parents(routes[target])
        return routes[target]

    def _no_static(self) -> str:
        return '' if self._static else (
            '; there is no static transform: a later part of a recording that was split lacks '
            '/tf_static, name its whole folder')

    def _tell_parents(self, path: _Path) -> None:
        """Note a frame of the path that several publishers place."""
        for (parent, child), _ in path:
            others = sorted(one for one, other in {*self._edges, *self._static}
                            if other == child and one != parent)
            if others:
                self.notes.append(
                    f'the frame {child!r} has several parents: {parent!r} is taken, not '
                    f"{', '.join(map(repr, others))}")


def _name(key: Key) -> str:
    return f'{key[0]} → {key[1]}'
