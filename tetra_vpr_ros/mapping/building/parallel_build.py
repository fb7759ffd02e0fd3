# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bags mapped side by side, each to a part of its own, and the parts joined in order.

The map is the one that a single process builds. Parts lie in a folder beside the
map until they are in it, so that an interrupted build continues where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
import hashlib
import multiprocessing
from multiprocessing.synchronize import Event, RLock
import os
from pathlib import Path
import shutil
import signal
import threading

import numpy as np
from tetra_vpr_ros.mapping.building.build_options import BuildOptions, BuildReport
from tetra_vpr_ros.mapping.building.map_writer import add_traverse
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.sources.traverse import BagTraverse
from tetra_vpr_ros.mapping.tools.map_tools import copy_places
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tqdm import tqdm


class Parts:
    """
    The parts of a build.

    :param place_map: that they go into.
    :param options: of the build.
    """

    def __init__(self, place_map: PlaceMap, options: BuildOptions) -> None:
        """Find the folder."""
        self.folder = options.output.with_name(options.output.name + '.parts')
        self._map = place_map

    def path(self, traverse: BagTraverse) -> Path:
        """Return where the part of a traverse lies, in a folder that then exists."""
        self.folder.mkdir(exist_ok=True)
        name = hashlib.sha256(traverse.source.encode()).hexdigest()[:16]
        return self.folder / f'{name}.vpr'

    def complete(self, path: Path) -> bool:
        """Tell whether a part is there and whole."""
        if not path.exists():
            return False
        with PlaceMap.open_file(path) as part:
            return any(session.complete for session in part.sessions())

    def join(self, paths: Iterable[Path], progress: bool) -> None:
        """Copy parts into the map in their order and remove them."""
        for path in paths:
            with PlaceMap.open_file(path) as part:
                table = part.places()
                copy_places(part, table, self._map, np.ones(len(table), bool), None, progress)
            path.unlink()

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def build_part(traverse: BagTraverse, path: Path, encoder: PlaceEncoder, frame_id: str,
               options: BuildOptions, progress: bool = False, position: int | None = None,
               stopped: Event | None = None) -> BuildReport:
    """
    Map one bag to a file of its own, or finish what an interrupted build has left of it.

    :param traverse: of the bag.
    :param path: of the part.
    :param encoder: of the map's model.
    :param frame_id: of the map.
    :param options: of the build.
    :param progress: show a bar.
    :param position: line of the bar.
    :param stopped: when set, the build stops as with Ctrl-C.
    :raises MapError: the part cannot be written, or was begun with other options.
    """
    report = BuildReport()
    if path.exists():
        part = PlaceMap.open_file(path, writable=True)
    else:
        part = PlaceMap.create(path, encoder.info, frame_id)
    with part:
        begun_with = part.meta().get('build')
        if begun_with not in (None, options.recipe()) or (
                part.meta()['model_fingerprint'] != encoder.info.fingerprint):
            raise MapError(f'{path} was begun with another model or with {begun_with}: remove '
                           f'{path.parent}')
        part.set_meta(build=options.recipe())
        if any(session.complete for session in part.sessions()):
            return report
        try:
            add_traverse(part, traverse, encoder, options, report, progress, position,
                         *((stopped.is_set,) if stopped else ()))
        except KeyboardInterrupt:
            report.interrupted = True
    return report


_worker: dict[str, tuple[PlaceEncoder, Event]] = {}


def _start_worker(model: Path, threads: int, stopped: Event, lock: RLock) -> None:
    # Ctrl-C goes to the whole group: the parent says when to stop, and parts stay whole.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tqdm.set_lock(lock)
    _worker['is'] = PlaceEncoder(model, threads=threads), stopped
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)  # a killed parent must not leave workers behind


def _work(traverse: BagTraverse, path: Path, frame_id: str, options: BuildOptions,
          progress: bool, position: int) -> BuildReport:
    encoder, stopped = _worker['is']
    return build_part(traverse, path, encoder, frame_id, options, progress, position, stopped)


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
    threads = max(1, (options.threads or os.cpu_count() or 1) // workers)
    paths = [parts.path(traverse) for traverse in traverses]
    with ProcessPoolExecutor(workers, context, _start_worker, (
            encoder.info.path, threads, stopped, lock)) as pool:
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
