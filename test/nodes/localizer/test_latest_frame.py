# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import threading
import time

from processes import ENOUGH
from tetra_vpr_ros.nodes.localizer.frame.latest_frame import LatestFrameWorker


def test_only_the_newest_waiting_frame_is_worked_on():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(frames):
        begun.set()
        assert go.wait(ENOUGH)
        done.extend(frames)

    worker = LatestFrameWorker(work)
    worker.put('first')
    assert begun.wait(ENOUGH)
    for name in ('second', 'third', 'fourth'):
        worker.put(name)  # never blocks while work is done
    assert worker.dropped == 2
    begun.clear()
    go.set()
    assert begun.wait(ENOUGH)
    worker.close()
    assert done == ['first', 'fourth']


def test_close_waits_for_the_frame_in_work_and_forgets_the_next():
    begun, done = threading.Event(), []

    def work(frames):
        begun.set()
        while not worker._closed:  # until it is waited for
            time.sleep(0.01)
        done.extend(frames)

    worker = LatestFrameWorker(work)
    worker.put('first')
    assert begun.wait(ENOUGH)
    worker.put('second')
    worker.close()
    assert done == ['first']


def test_frames_of_several_cameras_are_worked_on_together():
    done, called = [], threading.Semaphore(0)

    def work(frames):
        done.append(sorted(frames))
        called.release()

    worker = LatestFrameWorker(work, cameras=2, window=10 * ENOUGH, clock=lambda: 0.0)
    worker.put('left 1', 'left')
    worker.put('right 1', 'right')
    assert called.acquire(timeout=ENOUGH)  # both are there: nothing to wait for
    worker.close()
    assert done == [['left 1', 'right 1']]

    worker = LatestFrameWorker(work, cameras=2, window=0.05, clock=lambda: 0.0)
    worker.put('left 2', 'left')
    assert called.acquire(timeout=ENOUGH)  # the other camera is late
    worker.close()
    assert done[1] == ['left 2']


def test_nobody_waits_for_a_camera_that_is_dead():
    done, called, now = [], threading.Semaphore(0), [0.0]

    def work(frames):
        done.append(sorted(frames))
        called.release()

    worker = LatestFrameWorker(work, cameras=2, window=10 * ENOUGH, clock=lambda: now[0])
    now[0] = 3.0
    worker.put('left 1', 'left')  # the right one was never heard of
    assert called.acquire(timeout=ENOUGH)
    worker.put('right 1', 'right')  # not dead after all: each waits for the other again
    worker.put('left 2', 'left')
    assert called.acquire(timeout=ENOUGH)
    now[0] = 6.0
    worker.put('left 3', 'left')
    assert called.acquire(timeout=ENOUGH)
    worker.close()
    assert done == [['left 1'], ['left 2', 'right 1'], ['left 3']]
