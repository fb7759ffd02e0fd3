# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bags mapped side by side by processes, each to a part of its own; the parts are joined in order.

The map is the one that a single process builds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
import multiprocessing
from multiprocessing.synchronize import Event, RLock
import os
from pathlib import Path
import signal
import threading

from tetra_vpr_ros.command_line import usable_cores
from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.parts import build_part, Parts
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.sources.bag_traverse import BagTraverse
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tqdm import tqdm

_worker: dict[str, tuple[PlaceEncoder, Event]] = {}


def _start_worker(model: Path, stopped: Event, lock: RLock) -> None:
    # Ctrl-C goes to the whole group: the parent says when to stop, and parts stay whole.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tqdm.set_lock(lock)
    _worker['is'] = PlaceEncoder(model), stopped
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)  # a killed parent must not leave workers behind


def _work(traverse: BagTraverse, path: Path, frame_id: str, options: BuildOptions,
          progress: bool, position: int) -> BuildReport:
    encoder, stopped = _worker['is']
    return build_part(traverse, path, encoder, frame_id, options, progress, position,
                      stopped.is_set)


def add_with_processes(place_map: PlaceMap, traverses: Sequence[BagTraverse],
                       encoder: PlaceEncoder, options: BuildOptions, report: BuildReport,
                       workers: int, progress: bool = True) -> None:
    """
    Map bags with several processes.

    :param place_map: open for writing.
    :param traverses: none of which the map has begun.
    :param encoder: of the map's model.
    :param options: of the build.
    :param report: is added to.
    :param workers: number of processes.
    :param progress: show bars.
    :raises KeyboardInterrupt: what was read is in the parts.
    :raises MapError: a part cannot be written, or a process was killed.
    """
    parts = Parts(place_map, options)
    context = multiprocessing.get_context('spawn')  # onnxruntime's threads do not survive fork
    stopped, lock = context.Event(), context.RLock()
    threads = max(1, (options.threads or usable_cores()) // workers)
    paths = [parts.path(traverse) for traverse in traverses]
    with ProcessPoolExecutor(workers, context, _start_worker, (
            encoder.info.path, stopped, lock)) as pool:
        futures: list[Future[BuildReport]] = [
            pool.submit(_work, traverse, path, place_map.frame_id,
                        replace(options, threads=threads), progress, i)
            for i, (traverse, path) in enumerate(zip(traverses, paths))]
        try:
            for future in futures:
                report.add(future.result())
        except BrokenProcessPool as error:
            raise MapError('a process that mapped a bag was killed, perhaps for want of memory: '
                           'run the same command with --resume and fewer --workers') from error
        finally:  # after Ctrl-C or an error the others store what they have, and end
            stopped.set()
            pool.shutdown(cancel_futures=True)
    if report.interrupted:
        raise KeyboardInterrupt
    parts.join(paths, progress)
