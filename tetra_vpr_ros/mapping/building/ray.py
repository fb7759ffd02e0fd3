# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags mapped by the machines of a Ray cluster, for fleets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import tempfile
from typing import Any

from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.parts import build_part, Parts
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.sources.bag_traverse import BagTraverse
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tqdm import tqdm


def _task(traverse: BagTraverse, frame_id: str, options: BuildOptions
          ) -> tuple[BuildReport, bytes]:
    """Run on a machine of the cluster; the part travels back as bytes."""
    encoder = PlaceEncoder(options.model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'part.vpr'
        report = build_part(traverse, path, encoder, frame_id, options)
        return report, path.read_bytes()


def add_with_ray(place_map: PlaceMap, traverses: Sequence[BagTraverse], encoder: PlaceEncoder,
                 options: BuildOptions, report: BuildReport, progress: bool = True) -> None:
    """
    Map bags as Ray tasks, and join the parts as they would be built here.

    The machines need this package, and the bags under the same paths.

    :param place_map: open for writing.
    :param traverses: none of which the map has begun.
    :param encoder: of the map's model.
    :param options: of the build; ``ray`` is the address, ``local`` starts Ray here.
    :param report: is added to.
    :param progress: show a bar.
    :raises KeyboardInterrupt: parts that have come back are kept.
    :raises MapError: Ray is not installed, cannot be reached, or a task failed.
    """
    try:
        import ray
    except ImportError as error:
        raise MapError("--ray needs Ray: pip install 'tetra_vpr_ros[ray]'") from error
    parts = Parts(place_map, options)
    paths = [parts.path(traverse) for traverse in traverses]
    try:
        ray.init(address=None if options.ray == 'local' else options.ray, log_to_driver=False,
                 include_dashboard=False if options.ray == 'local' else None)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise MapError(f'no Ray cluster at {options.ray!r}: {error}') from error
    try:
        task = ray.remote(num_cpus=1)(_task)
        tasks: dict[Any, tuple[BagTraverse, Path]] = {
            task.remote(traverse, place_map.frame_id,
                        replace(options, model=encoder.info.path, threads=1)):
            (traverse, path) for traverse, path in zip(traverses, paths)
            if not parts.complete(path)}
        waiting = list(tasks)
        with tqdm(total=len(traverses), initial=len(traverses) - len(tasks), unit='bag',
                  desc='mapping', disable=not progress) as bar:
            while waiting:
                done, waiting = ray.wait(waiting)
                traverse, path = tasks[done[0]]
                try:
                    found, data = ray.get(done[0])
                except ray.exceptions.RayError as error:
                    raise MapError(f'{traverse.path} was not mapped: {error}') from error
                temporary = path.with_suffix('.tmp')
                temporary.write_bytes(data)
                temporary.replace(path)
                report.add(found)
                bar.update()
    finally:
        ray.shutdown()
    parts.join(paths, progress)
