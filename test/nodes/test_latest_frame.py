# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import threading

from tetra_vpr_ros.nodes.latest_frame import LatestFrameWorker


def test_only_the_newest_waiting_frame_is_worked_on():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(frame):
        begun.set()
        assert go.wait(5)
        done.append(frame)

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

    def work(frame):
        begun.set()
        threading.Event().wait(0.2)
        done.append(frame)

    worker = LatestFrameWorker(work)
    worker.put('first')
    assert begun.wait(5)
    worker.put('second')
    worker.close()
    assert done == ['first']
