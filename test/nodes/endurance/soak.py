# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Run the localizer for a long time on a looped bag and watch its health.

``python test/nodes/endurance/soak.py --seconds 7200`` fails when memory grows by 5 %, when
the node is not active at the end, or when its work or its latency do not stay what
they were.
"""

import argparse
from contextlib import contextmanager
import itertools
import os
from pathlib import Path
import sys
import tempfile
import time

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'test' / 'nodes')]


def resident_mb(pid, kind='VmRSS'):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith(f'{kind}:'):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f'process {pid} is gone')


def processor_seconds(pid):
    """Return what a process has computed so far, however busy the machine is."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@contextmanager
def localizing(folder, place_map):
    """
    Start a localizer with ``/cam`` as its compressed camera, and a probe; end both afterwards.

    :param folder: for its log.
    :param place_map: file.
    """
    from probe import Probe
    from processes import Localizer
    import rclpy
    rclpy.init()
    probe = Probe()
    localizer = Localizer(folder / 'log.txt', map=place_map, autostart=True,
                          image_topics='[/cam]', image_transport='compressed')
    try:
        yield probe, localizer
    finally:
        localizer.stop()
        probe.node.destroy_node()
        rclpy.try_shutdown()


def diagnostics(probe, localizer, processed=0):
    """Return what the localizer tells from now on, once it has worked on so many frames."""
    probe.forget()
    assert probe.spin(lambda: probe.received['/diagnostics'] and int(probe.values(
        '/diagnostics')[1]['frames processed']) >= processed), localizer.log
    return probe.values('/diagnostics')[1]


def looped(bag):
    """Yield the JPEGs of a bag for ever, there and back: no jump where it begins again."""
    from tetra_vpr_ros.mapping import BagSource
    with BagSource(bag) as source:
        pictures = [frame.message.data.tobytes()
                    for frame in source.images(source.find_image_topic())]
    return itertools.cycle(pictures + pictures[::-1])


def soak(probe, localizer, bag, frames, rate=None):
    """
    Show frames and watch.

    :param probe: that listens.
    :param localizer: active, with ``/cam`` as its compressed camera.
    :param bag: with the images.
    :param frames: to show.
    :param rate: of them, Hz; None shows each when the one before was answered.
    :returns: what was measured after each tenth of the frames, and the state at the end.
    """
    from sensor_msgs.msg import CompressedImage
    from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds
    publisher = probe.publisher(CompressedImage, '/cam/compressed')
    assert probe.spin(lambda: publisher.get_subscription_count() > 0), localizer.log
    samples, pictures, before, began = [], looped(bag), 0, time.monotonic()
    for sent in range(1, frames + 1):
        message = CompressedImage(format='jpeg', data=next(pictures))
        message.header.stamp = probe.node.get_clock().now().to_msg()
        publisher.publish(message)
        if rate is None:
            assert probe.answered(nanoseconds(message.header.stamp)), localizer.log
        else:
            probe.spin(seconds=max(0.0, began + sent / rate - time.monotonic()))
        if sent * 10 // frames > len(samples):
            values = diagnostics(probe, localizer, sent if rate is None else 0)
            now = processor_seconds(localizer.process.pid)
            done = float(values['frames processed'])
            already = samples[-1]['frames processed'] if samples else 0.0
            samples.append({
                'rss_mb': resident_mb(localizer.process.pid), 'sent': sent,
                'processor ms a frame': 1e3 * (now - before) / max(done - already, 1.0),
                **{key: float(values[key]) for key in (
                    'frames processed', 'frames failed', 'frames refused',
                    'matches accepted', 'latency p50 ms', 'latency p99 ms')}})
            before = now
            print('  '.join(f'{key} {value:.1f}' for key, value in samples[-1].items()),
                  flush=True)
    return samples, probe.state()


def judge(samples, state, steady_machine):
    """
    Return what is wrong, if anything; the first tenth warms up.

    :param steady_machine: nothing else runs, so that the latency tells about the node.
    """
    first, last = samples[1], samples[-1]
    wrong = []
    if last['rss_mb'] > 1.05 * first['rss_mb']:
        wrong.append(f"memory grew from {first['rss_mb']:.1f} to {last['rss_mb']:.1f} MB")
    if state != 'active':
        wrong.append(f'the node is {state}')
    if last['frames failed'] or last['frames refused']:
        wrong.append('frames failed or were refused')
    for key, unit in (('processor ms a frame', 50), ('latency p99 ms', 50)):
        if (key.startswith('processor') or steady_machine) and (
                last[key] > 3 * first[key] + unit):
            wrong.append(f'{key} rose from {first[key]:.0f} to {last[key]:.0f}')
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=7200.0)
    parser.add_argument('--rate', type=float, default=10.0)
    options = parser.parse_args()
    from local_ros import claim_domain, keep_here
    keep_here(claim_domain())
    from tetra_vpr_ros.mapping import build_map, BuildOptions
    from tetra_vpr_ros.simulation import route
    from tetra_vpr_ros.simulation.bag import write_bag
    from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
    from tetra_vpr_ros.simulation.world import DoomWorld
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DoomWorld('e1m1') as world:
            plan = build_floor_plan(world.sectors(), world.start)
            poses = route.drive(route.plan_lap(plan), 0.1)[:400]
            frames = []
            for i, pose in enumerate(poses):
                image, stood = world.look(pose)
                frames.append((10**18 + i * 10**8, stood, image))
        write_bag(folder / 'bag', frames)
        build_map(BuildOptions(bags=(folder / 'bag',), output=folder / 'map.vpr'))
        with localizing(folder, folder / 'map.vpr') as (probe, localizer):
            samples, state = soak(probe, localizer, folder / 'bag',
                                  round(options.seconds * options.rate), options.rate)
        log = localizer.log
    wrong = judge(samples, state, steady_machine=True)
    print('\n'.join(wrong) if wrong else 'sound')
    if wrong:
        print(log)
    return bool(wrong)


if __name__ == '__main__':
    raise SystemExit(main())
