# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Load the localizer with four cameras, bursts and cycles, and measure what comes of it.

``python test/nodes/endurance/load.py`` prints the figures of docs/performance.md.
"""

import itertools
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'test' / 'nodes')]

CAMERAS = ('/a', '/b', '/c', '/d')
DEAF = """
import sys, rclpy
from geometry_msgs.msg import PoseArray
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
rclpy.init()
node = rclpy.create_node('deaf')
node.create_subscription(PoseArray, '/vpr/candidates', lambda message: None, QoSProfile(
    history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE))
while not node.count_publishers('/vpr/candidates'):
    rclpy.spin_once(node, timeout_sec=0.1)
print('listens', flush=True)
sys.stdin.read()
"""


def deaf_subscriber():
    """Start a reliable subscriber that never reads: it is stopped once it has connected."""
    process = subprocess.Popen([sys.executable, '-c', DEAF], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'listens\n'
    process.send_signal(signal.SIGSTOP)
    return process


def pictures(frames):
    """Return frames as JPEGs."""
    import cv2
    return [cv2.imencode('.jpg', image[:, :, ::-1])[1].tobytes() for _, _, image in frames]


class Cameras:
    """
    Four cameras with compressed pictures.

    :param probe: that publishes.
    :param jpegs: shown over and over.
    """

    def __init__(self, probe, jpegs):
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import CompressedImage
        self._kind, self._probe = CompressedImage, probe
        self.publishers = [probe.publisher(CompressedImage, f'{topic}/compressed',
                                           qos_profile_sensor_data) for topic in CAMERAS]
        self._jpegs = itertools.cycle(jpegs)
        self.sent = 0

    def wait(self, localizer):
        assert self._probe.spin(lambda: all(p.get_subscription_count()
                                            for p in self.publishers)), localizer.log

    def show(self):
        """Publish a moment's four pictures; return their stamp."""
        stamp = self._probe.node.get_clock().now().nanoseconds
        message = self._kind(format='jpeg', data=next(self._jpegs))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        for publisher in self.publishers:
            publisher.publish(message)
            self.sent += 1
        return stamp


def settled(probe, cameras, seconds):
    """Show moments until one is answered, and return the diagnostics after it."""
    from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds
    deadline, shown = time.monotonic() + seconds, set()
    while time.monotonic() < deadline:  # the last picture itself may be lost: best effort
        shown.add(cameras.show())
        if probe.spin(lambda: any(
                nanoseconds(a.header.stamp) in shown
                for a in reversed(probe.received['/vpr/candidates'])), 2.0):
            probe.received['/diagnostics'].clear()
            assert probe.spin(lambda: probe.received['/diagnostics'])
            return probe.values('/diagnostics')[1]
    raise AssertionError('no answer')


def resident_mb():
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) / 1024
    raise RuntimeError('no VmRSS')


def cycles(node, count):
    """Configure, activate and clean up; return memory, threads and files after each cycle."""
    from rclpy.lifecycle import TransitionCallbackReturn as Outcome
    found = []
    for _ in range(count):
        for change in ('configure', 'activate', 'deactivate', 'cleanup'):
            assert getattr(node, f'trigger_{change}')() == Outcome.SUCCESS
        found.append((resident_mb(), threading.active_count(), len(os.listdir('/proc/self/fd'))))
    return found


def main():
    from local_ros import claim_domain, keep_here
    keep_here(claim_domain())
    from probe import Probe
    from processes import Localizer
    import rclpy
    from soak import processor_seconds
    from soak import resident_mb as resident_mb_of
    from tetra_vpr_ros.mapping import build_map, BuildOptions
    from tetra_vpr_ros.nodes.localizer.node import LocalizeNode
    from tetra_vpr_ros.simulation.bag import write_bag
    from wall import noise_wall
    with tempfile.TemporaryDirectory() as name:
        folder, frames = Path(name), noise_wall()
        write_bag(folder / 'bag', frames)
        build_map(BuildOptions(bags=(folder / 'bag',), output=folder / 'map.vpr'))
        rclpy.init()
        probe = Probe()
        localizer = Localizer(folder / 'log.txt', map=folder / 'map.vpr', autostart=True,
                              image_topics=f"[{','.join(CAMERAS)}]", image_transport='compressed')
        cameras = Cameras(probe, pictures(frames))
        cameras.wait(localizer)
        pid, deaf = localizer.process.pid, deaf_subscriber()
        settled(probe, cameras, 60.0)
        for what, moments, rate in (('30 Hz', 1800, 30.0), ('burst', 2500, None)):
            began, before = time.monotonic(), processor_seconds(pid)
            sent = cameras.sent
            for i in range(moments):
                cameras.show()
                probe.spin(seconds=max(0.0, began + i / rate - time.monotonic())
                           if rate else 0.0)
            seconds = time.monotonic() - began
            values = settled(probe, cameras, 60.0)
            print(what, json.dumps({
                'messages': cameras.sent - sent, 'seconds': round(seconds, 1),
                'resident MB': round(resident_mb_of(pid), 1),
                'cores': round((processor_seconds(pid) - before) / seconds, 2),
                **{key: value for key, value in values.items()
                   if key.startswith(('frames', 'latency', 'frequency'))}}), flush=True)
        deaf.kill()
        localizer.stop()
        probe.node.destroy_node()
        node = LocalizeNode(cli_args=['--ros-args', '-p', f'map:={folder}/map.vpr',
                                      '--log-level', 'warn'])
        found = cycles(node, 200)
        for after in (1, 10, 20, 50, 100, 200):
            print(f'{after} cycles: %.1f MB, %d threads, %d files' % found[after - 1])
        node.close()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
