# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Commands that are stopped by a signal at a counted step of their work, never by the clock."""

from contextlib import redirect_stderr, redirect_stdout
import functools
import multiprocessing
import os
import signal
import sqlite3

PROCESSES = multiprocessing.get_context('forkserver')
# Imported once: a process then starts in milliseconds.
PROCESSES.set_forkserver_preload([
    'tetra_vpr_ros.nodes.build_map', 'tetra_vpr_ros.nodes.vpr_map',
    'tetra_vpr_ros.nodes.calibrate_map'])


def _count_steps(at, log):
    """Count each SQL statement on a map and each renaming, and kill before one of them."""
    steps = 0

    def step(what):
        nonlocal steps
        steps += 1
        log.write(what.split(' VALUES')[0].replace('\n', ' ')[:60] + '\n')
        log.flush()
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

    connect, replace = sqlite3.connect, os.replace

    def counted_connect(*arguments, **options):
        db = connect(*arguments, **options)
        db.set_trace_callback(step)  # called before each row of an executemany, too
        return db

    def counted_replace(*arguments):
        step('replace')
        replace(*arguments)

    sqlite3.connect, os.replace = counted_connect, counted_replace


def _count_calls(owner, name, at):
    """Send SIGTERM after the n-th call of a method, while it is not yet known to be over."""
    calls, method = 0, getattr(owner, name)

    @functools.wraps(method)
    def counted(*arguments, **options):
        nonlocal calls
        result = method(*arguments, **options)
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    setattr(owner, name, counted)


def _run(main, arguments, folder, at, terminate):
    with open(folder / 'steps', 'w') as log, open(folder / 'output', 'w') as output, \
            redirect_stderr(output), redirect_stdout(output):
        if terminate:
            _count_calls(*terminate, at)
        else:
            _count_steps(at, log)
        code = main(arguments)
        output.flush()
    raise SystemExit(code)


def run(main, arguments, folder, at=None, terminate=None):
    """
    Run a command in a process of its own.

    :param main: of the command.
    :param arguments: of it.
    :param folder: for the log.
    :param at: the step before which it is killed, counted from 1; None for none.
    :param terminate: class and method after whose ``at``-th call it is told to end instead.
    :returns: its exit status and what it printed.
    """
    process = PROCESSES.Process(
        target=_run, args=(main, list(map(str, arguments)), folder, at, terminate))
    process.start()
    process.join(120)
    assert process.exitcode is not None, 'the command hangs'
    return process.exitcode, (folder / 'output').read_text()


def steps(folder):
    """Return what the last command did, step by step."""
    return (folder / 'steps').read_text().splitlines()


def moments(done, count):
    """
    Return the steps at which to kill: spread over all, and those where a state changes hands.

    :param done: what a whole run did, see `steps`.
    :param count: how many are spread.
    """
    spread = {1 + i * (len(done) - 1) // (count - 1) for i in range(count)}
    # After the last place, while the log is written back, before the file gets its name.
    last_place = max((i for i, what in enumerate(done, 1) if 'INTO place' in what), default=1)
    closing = {i for i, what in enumerate(done, 1)
               if 'journal_mode=DELETE' in what or what == 'replace'}
    calibration = {i for i, what in enumerate(done, 1)
                   if i > last_place and ('INTO meta' in what or what == 'COMMIT')}
    return sorted({*spread, *closing, *calibration})
