# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images that are named as a test wants them, and what was found of them."""

from pathlib import Path

from tetra_vpr_ros.mapping.sources.image_folder import read_folder

START_NS = 1_403_636_579_763_555_584  # of EuRoC's first sequence: not to be held by a double


def touch(folder, names):
    """Make images of which only the names matter."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def xs(folder, spec):
    """Return x of the pose of each image, None where it has none."""
    return [None if pose is None else round(float(pose.position[0]), 6)
            for _, _, pose in read_folder(folder, spec)[0].images]


def lacking(folder, spec):
    """Return why each image without a pose has none, by its name."""
    return {Path(frame.where).name: frame.missing
            for frame in read_folder(folder, spec)[0].frames() if frame.pose is None}


def tum(path, stamps, positions=None):
    """Write a trajectory along x, a metre a line."""
    path.write_text(''.join(f'{stamp} {x} 0 0 0 0 0 1\n' for stamp, x in zip(
        stamps, range(len(stamps)) if positions is None else positions)))
    return path
