# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import threading

from tetra_vpr_ros.nodes.localizer.frame.latest_frame import LatestFrameWorker


def test_only_the_newest_waiting_frame_is_worked_on():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(frames):
        begun.set()
        assert go.wait(5)
        done.extend(frames)

    worker = LatestFrameWorker(work)
    worker.put('first')
    assert begun.wait(5)
    for name in ('second', 'third', 'fourth'):
        worker.put(name)  # never blocks while work is done
    assert worker.dropped == 2
    begun.clear()
    go.set()
    assert begun.wait(5)
    worker.close()
    assert done == ['first', 'fourth']


def test_close_waits_for_the_frame_in_work_and_forgets_the_next():
    begun, done = threading.Event(), []

    def work(frames):
        begun.set()
        threading.Event().wait(0.2)
        done.extend(frames)

    worker = LatestFrameWorker(work)
    worker.put('first')
    assert begun.wait(5)
    worker.put('second')
    worker.close()
    assert done == ['first']


def test_frames_of_several_cameras_are_worked_on_together():
    done, called = [], threading.Semaphore(0)

    def work(frames):
        done.append(sorted(frames))
        called.release()

    worker = LatestFrameWorker(work, cameras=2, window=2.0)
    worker.put('left 1', 'left')
    worker.put('right 1', 'right')
    assert called.acquire(timeout=1.5)  # both are there: nothing to wait for
    worker.close()
    assert done == [['left 1', 'right 1']]

    worker = LatestFrameWorker(work, cameras=2, window=0.05)
    worker.put('left 2', 'left')
    assert called.acquire(timeout=5)  # the other camera is late
    worker.close()
    assert done[1] == ['left 2']
