# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which pose of a trajectory is which image's: proven, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.image_poses.image_times import listed_times
from tetra_vpr_ros.mapping.sources.image_poses.path_matching import match_paths
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import (
    completed, of_folders, PosedImages, SECOND, Skipped)
from tetra_vpr_ros.mapping.sources.image_poses.stamps import Numbers, numbers_of_names
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import Trajectory
from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack, usual_gap
from tetra_vpr_ros.vision.image_files import SUFFIXES

WAYS = ('stamp', 'number', 'order')
"""By which images and poses can be paired."""

_SAME = SECOND // 1000      # stamps are written to the microsecond, or rounded to less
_APART = 0.02               # metres between two poses of one stamp that are not the same
_FEW = 0.1                  # share of such that is some disorder, and not all stamps' fault
_STEADY = SECOND // 50      # by which an offset between two clocks may vary


def pair(trajectory: Trajectory, files: Sequence[Path], folder: Path, way: str | None = None,
         max_gap: int | None = None) -> PosedImages:
    """
    Bring images and the poses of a trajectory together.

    * by path, where the trajectory names images;
    * by stamp, where names of images, or a list beside them, are times: interpolated;
    * by number, where both count frames, and the numbers have gaps that prove it;
    * by order, where there are as many poses as images.

    :param trajectory: of the poses.
    :param files: images.
    :param folder: of the images.
    :param way: one of `WAYS`; None takes the one that is proven.
    :param max_gap: nanoseconds between two poses that may be interpolated; None takes what
        their rate suggests.
    :raises MapError: none is, or two are; the text says how to mend it.
    """
    if trajectory.images is not None and way is None:
        return _by_path(trajectory, trajectory.images, files, folder)
    named = numbers_of_names(files)
    if way == 'number':
        return _by_number(trajectory, files, named)
    if way == 'order':
        return _by_order(trajectory, files, folder)
    if named.unit is not None and not named.counting:
        return _by_stamp(trajectory, files, folder, named, 'the names', way, max_gap)
    if way is None and _numbers_prove(named, trajectory):
        return _by_number(trajectory, files, named)
    listed = listed_times(folder, files, trajectory.path) if trajectory.stamps else None
    if listed is None:
        return (_by_order(trajectory, files, folder) if way is None else
                _by_stamp(trajectory, files, folder, named, 'the names', way, max_gap))
    times, path = listed
    if way is None and len(trajectory) == len(files):
        if _steady(times.nanoseconds(), trajectory) or _frames(trajectory) is not None:
            return _by_order(trajectory, files, folder)
        raise MapError(f'{trajectory.path} has a pose for each image, but other stamps than '
                       f"{path}: put ':order' or ':stamp' behind the file")
    return _by_stamp(trajectory, files, folder, times, str(path), way, max_gap)


def _by_path(trajectory: Trajectory, names: Sequence[str], files: Sequence[Path], folder: Path
             ) -> PosedImages:
    ended = any(Path(name).suffix.lower() in SUFFIXES for name in names)
    rows = match_paths(files if ended else [file.with_suffix('') for file in files], folder,
                       names, str(trajectory.path))
    skipped = Skipped(of=trajectory.skipped)
    for file, row in zip(files, rows):
        if row is None:
            skipped.images[file] = f'{trajectory.path} does not name it'
    stamps = trajectory.stamps.nanoseconds() if trajectory.stamps else [None] * len(names)
    return PosedImages(completed([None if row is None else stamps[row] for row in rows]),
                       [None if row is None else trajectory.poses[row] for row in rows],
                       'path', skipped)


def _by_stamp(trajectory: Trajectory, files: Sequence[Path], folder: Path, times: Numbers,
              source: str, way: str | None, max_gap: int | None) -> PosedImages:
    """Interpolate; a stamp at the ends may be rounded otherwise than the pose's."""
    if trajectory.stamps is None:
        raise MapError(f'{trajectory.path} has no stamps: its poses belong to images in order '
                       f'or by number; {_forced(trajectory)}')
    track = _track(trajectory)
    gap = usual_gap(track.stamps) if max_gap is None else max_gap
    stamps = times.nanoseconds()
    skipped = Skipped(of=trajectory.skipped)
    poses: list[Pose | None] = []
    for file, stamp in zip(files, stamps):
        pose = None
        if stamp is None:
            skipped.images[file] = f'there is no stamp of it in {source}'
        else:
            pose = track.at(stamp, gap) or _nearest(track, stamp)
            if pose is None:
                skipped.images[file] = track.why_none(stamp, gap)
        poses.append(pose)
    if all(pose is None for pose in poses):
        counted = trajectory.stamps.counting and len(trajectory) == len(files)
        if way is None and (counted or _steady(stamps, trajectory)):
            return _by_order(trajectory, files, folder)
        if any(stamp is not None and track.spans(stamp) for stamp in stamps):
            raise MapError(f"{trajectory.path}: {'; '.join(skipped.images_lines())}")
        raise MapError(_apart(trajectory, track, files, stamps, source))
    unit, own = times.unit or 's', trajectory.stamps.unit or 's'
    return PosedImages(completed(stamps), poses,
                       f'stamp ({source} in {unit}, {trajectory.path.name} in {own})', skipped)


def _track(trajectory: Trajectory) -> PoseTrack:
    """Return the poses that can be used over time."""
    stamps = trajectory.stamps.nanoseconds() if trajectory.stamps else []
    known = [(stamp, pose) for stamp, pose in zip(stamps, trajectory.poses)
             if stamp is not None and pose is not None]
    if not known:
        raise MapError(f'{trajectory.path}: no line has both a stamp and a pose')
    if (twice := _poses_of_one_stamp(known)) > _FEW * len(known):
        raise MapError(f'{trajectory.path}: {twice} of {len(known)} poses have the stamp of '
                       'another: it was written with too few digits')
    return PoseTrack([stamp for stamp, _ in known], np.stack([p.position for _, p in known]),
                     np.stack([p.quaternion for _, p in known]))


def _poses_of_one_stamp(known: Sequence[tuple[int, Pose]]) -> int:
    at = dict(known)  # the last of each stamp
    return sum(at[stamp].distance_to(pose) > _APART for stamp, pose in known)


def _nearest(track: PoseTrack, stamp: int) -> Pose | None:
    at = int(np.searchsorted(track.stamps, stamp))
    near = min((i for i in (at - 1, at) if 0 <= i < len(track)),
               key=lambda i: abs(int(track.stamps[i]) - stamp))
    own = int(track.stamps[near])
    return track.at(own, 0) if abs(own - stamp) <= _SAME else None


def _steady(stamps: Sequence[int | None], trajectory: Trajectory) -> bool:
    """Tell whether two clocks differ by the same time in all images and poses."""
    own = trajectory.stamps.nanoseconds() if trajectory.stamps else []
    apart = [a - b for a, b in zip(stamps, own) if a is not None and b is not None]
    return len(stamps) == len(own) == len(apart) > 2 and max(apart) - min(apart) <= _STEADY


def _apart(trajectory: Trajectory, track: PoseTrack, files: Sequence[Path],
           stamps: Sequence[int | None], source: str) -> str:
    known = [stamp for stamp in stamps if stamp is not None]
    if not known:
        return f'{files[0]}: no stamp in {source}; {_forced(trajectory)}'
    first, last = int(track.stamps[0]), int(track.stamps[-1])
    return (f'{trajectory.path}: no pose fits the stamps of the images in {source}: images '
            f'{min(known) / SECOND:.3f} … {max(known) / SECOND:.3f} s, poses '
            f'{first / SECOND:.3f} … {last / SECOND:.3f} s, {(min(known) - first) / SECOND:.3f} s '
            f'apart at the beginning; give both the same clock, or {_forced(trajectory)}')


def _forced(trajectory: Trajectory) -> str:
    return ("put a way behind the file: ':order' where there is a pose for each image, "
            f"':number' where the lines of {trajectory.path.name} carry the numbers of the images")


def _rising(trajectory: Trajectory) -> bool:
    """Tell whether the order of lines is that of time, too."""
    known = [] if trajectory.stamps is None else trajectory.stamps.known
    return all(a <= b for a, b in zip(known, known[1:]))


def _by_order(trajectory: Trajectory, files: Sequence[Path], folder: Path) -> PosedImages:
    if len(trajectory) != len(files):
        raise MapError(
            f'{trajectory.path} has {len(trajectory)} poses for {len(files)} images, and nothing '
            'proves which belong together'
            f'{of_folders(files, folder)}; name the images by their stamps, put times.txt (a '
            f'time for each image, a line each) beside them, or {_forced(trajectory)}')
    if not _rising(trajectory):
        raise MapError(f'{trajectory.path}: its stamps do not rise, so the order of its lines is '
                       'not that of the images: sort it, or name the images by their stamps')
    stamps = (trajectory.stamps.nanoseconds() if trajectory.stamps is not None
              else [None] * len(files))
    return PosedImages(completed(stamps), trajectory.poses, 'order', trajectory.skipped)


def _frames(trajectory: Trajectory) -> list[int | None] | None:
    """Return the number of the frame of each line: as it says, or its own where it says none."""
    if trajectory.stamps is None:
        return list(range(len(trajectory)))
    if not trajectory.stamps.counting:
        return None
    return [None if value is None else int(value) for value in trajectory.stamps.values]


def _numbers_prove(named: Numbers, trajectory: Trajectory) -> bool:
    """
    Tell whether numbers of images and of poses count the same frames.

    They do where one kind is among the other and is not just counted from 0 or 1: that could
    be a selection that was numbered again.
    """
    frames = _frames(trajectory)
    if frames is None or not named.counting:
        return False
    images, poses = ({int(value) for value in values if value is not None}
                     for values in (named.values, frames))
    if len(images) != len(named.values):
        return False  # the same number in two folders
    few, many = sorted((images, poses), key=len)
    return few <= many and (few == many or not (
        min(few) in (0, 1) and max(few) - min(few) == len(few) - 1))


def _by_number(trajectory: Trajectory, files: Sequence[Path], named: Numbers) -> PosedImages:
    frames = _frames(trajectory)
    if frames is None or not named.known:
        raise MapError(f'{trajectory.path}: there are no numbers of frames in '
                       f"{'the names of the images' if frames else 'it, but times'}")
    rows = {frame: row for row, frame in enumerate(frames) if frame is not None}
    skipped = Skipped(of=trajectory.skipped)
    numbers = [None if value is None else int(value) for value in named.values]
    found = [None if value is None else rows.get(value) for value in numbers]
    skipped.images = {file: f'{trajectory.path} has no pose of its number'
                      for file, row in zip(files, found) if row is None}
    stamps = trajectory.stamps.nanoseconds() if trajectory.stamps else [None] * len(frames)
    return PosedImages(completed([None if row is None else stamps[row] for row in found]),
                       [None if row is None else trajectory.poses[row] for row in found],
                       'number', skipped)
