# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that takes the damaged input, so that its death and its silence are findings."""

from __future__ import annotations

from dataclasses import dataclass
import faulthandler
import hashlib
from importlib import import_module
import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
import os
from pathlib import Path
import resource
import shutil
import signal
import tempfile
import traceback
from types import ModuleType
import warnings

import numpy as np

TARGETS = ('maps', 'models', 'messages', 'bags', 'folders')
CPU_S = 60  # of computing for one input; a sound one takes 50 ms
PATIENCE_S = 900.0  # for an answer at all: only what waits for ever is silent so long
_MEMORY = 12 << 30


@dataclass(frozen=True)
class Finding:
    """An input that brought something else than what is documented."""

    target: str
    seed: int | None
    text: str
    data: bytes

    @property
    def name(self) -> str:
        """Return the name of the file that keeps it."""
        return f'{hashlib.sha256(self.data).hexdigest()[:12]}.bin'


class Worker:
    """
    Checks inputs of one target, one after the other.

    :param target: one of `TARGETS`.
    """

    def __init__(self, target: str) -> None:
        """Start nothing yet."""
        self.target = target
        # In memory where there is such a folder: most of an input's time would go to the disk.
        memory = Path('/dev/shm')
        self._folder = Path(tempfile.mkdtemp(prefix=f'fuzz_{target}_',
                                             dir=memory if memory.is_dir() else None))
        self._process: BaseProcess | None = None

    def __enter__(self) -> Worker:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and remove what it wrote."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, work: int | bytes) -> str | Finding:
        """
        Check one input.

        :param work: the seed of an input, or the input.
        :returns: ``fine`` for a result, ``told`` for the documented error.
        """
        if self._process is None:
            self._start()
        try:
            self._pipe.send(work)
            if not self._pipe.poll(PATIENCE_S):
                return self._finding(work, f'no answer within {PATIENCE_S:g} s')
            outcome, text = self._pipe.recv()
        except (EOFError, OSError):
            return self._finding(work, 'the process has died')
        if outcome == 'finding':
            return self._finding(work, text)
        if outcome == 'mistake':
            raise RuntimeError(f'the damage of {self.target}, seed {work}, is not made: {text}')
        return str(outcome)

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')
        self._pipe, far = context.Pipe()
        self._process = context.Process(
            target=_work, args=(self.target, far, self._folder), daemon=True)
        self._process.start()
        far.close()
        if not self._pipe.poll(PATIENCE_S) or self._pipe.recv() != 'ready':
            raise RuntimeError(f'the process of {self.target} does not start')

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _finding(self, work: int | bytes, text: str) -> Finding:
        died = self._process is not None and not self._process.is_alive()
        self._end()
        told = (self._folder / 'stderr').read_text(errors='replace')[-3000:] if died else ''
        return Finding(self.target, work if isinstance(work, int) else None, f'{text}\n{told}',
                       (self._folder / 'input').read_bytes())


def _work(target: str, pipe: Connection, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with (folder / 'stderr').open('wb') as errors, Path(os.devnull).open('wb') as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    faulthandler.enable()
    warnings.simplefilter('ignore')  # that numbers overflow is what is wanted
    module = import_module(f'fuzz.{target}')
    pipe.send('ready')
    while True:
        try:
            work = pipe.recv()
        except EOFError:
            return
        _limit_computing()
        pipe.send(_checked(module, work, folder))


def _limit_computing() -> None:
    """Let the system end this process when the next input makes it compute for too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _checked(module: ModuleType, work: int | bytes, folder: Path) -> tuple[str, str]:
    scene = folder / 'scene'
    try:
        data = work if isinstance(work, bytes) else module.damage(np.random.default_rng(work))
        (folder / 'input').write_bytes(data)
    except Exception:
        return 'mistake', traceback.format_exc()
    try:
        scene.mkdir()
        return module.check(data, scene), ''
    except BaseException:
        return 'finding', traceback.format_exc()
    finally:
        shutil.rmtree(scene, ignore_errors=True)
