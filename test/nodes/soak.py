# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Run the localizer for a long time on a looped bag and watch its health.

``python test/nodes/soak.py --seconds 7200`` fails when memory grows by 5 %, when
the node is not active at the end, or when its latency does not stay what it was.
"""

import argparse
from pathlib import Path
import sys
import tempfile
import time

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'test' / 'nodes')]


def resident_mb(pid):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f'process {pid} is gone')


def soak(bag, map_file, seconds, rate, log):
    """Return what was measured, once in each tenth of the time after a tenth to warm up."""
    from diagnostic_msgs.msg import DiagnosticArray
    from processes import Localizer, Probe
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage
    from tetra_vpr_ros.mapping import BagSource

    with BagSource(bag) as source:
        pictures = [frame.message.data.tobytes()
                    for frame in source.images(source.find_image_topic())]
    pictures += pictures[::-1]  # there and back: no jump when the bag begins again
    rclpy.init()
    probe = Probe()
    localizer = Localizer(log, map=map_file, autostart=True, image_topics='[/cam]',
                          image_transport='compressed')
    samples = []
    try:
        publisher = probe.node.create_publisher(
            CompressedImage, '/cam/compressed', qos_profile_sensor_data)
        probe.listen('/diagnostics', DiagnosticArray)
        assert probe.spin(lambda: publisher.get_subscription_count() > 0, 60), localizer.log
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            message = CompressedImage(format='jpeg', data=pictures[sent % len(pictures)])
            message.header.stamp = probe.node.get_clock().now().to_msg()
            publisher.publish(message)
            sent += 1
            probe.spin(seconds=max(0.0, began + sent / rate - time.monotonic()))
            if time.monotonic() - began > seconds * (len(samples) + 1) / 10:
                array = probe.received['/diagnostics'][-1]
                values = {item.key: item.value for item in array.status[0].values}
                samples.append({
                    'rss_mb': resident_mb(localizer.process.pid), 'sent': sent,
                    **{key: float(values[key]) for key in (
                        'frames processed', 'frames failed', 'frames refused',
                        'matches accepted', 'latency p50 ms', 'latency p99 ms')}})
                probe.received['/diagnostics'].clear()
                print('  '.join(f'{key} {value:.1f}' for key, value in samples[-1].items()),
                      flush=True)
        state = probe.state()
    finally:
        localizer.stop()
        probe.node.destroy_node()
        rclpy.shutdown()
    return samples, state, localizer.log


def judge(samples, state):
    """Return what is wrong, if anything; the first tenth warms up."""
    first, last = samples[1], samples[-1]
    wrong = []
    if last['rss_mb'] > 1.05 * first['rss_mb']:
        wrong.append(f"memory grew from {first['rss_mb']:.1f} to {last['rss_mb']:.1f} MB")
    if state != 'active':
        wrong.append(f'the node is {state}')
    if last['frames failed'] or last['frames refused']:
        wrong.append('frames failed or were refused')
    if last['latency p99 ms'] > 3 * first['latency p99 ms'] + 50:
        wrong.append(f"latency p99 rose from {first['latency p99 ms']:.0f} to "
                     f"{last['latency p99 ms']:.0f} ms")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=7200.0)
    parser.add_argument('--rate', type=float, default=10.0)
    options = parser.parse_args()
    from local_ros import keep_here
    keep_here()
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
        samples, state, log = soak(folder / 'bag', folder / 'map.vpr', options.seconds,
                                   options.rate, folder / 'log.txt')
    wrong = judge(samples, state)
    print('\n'.join(wrong) if wrong else 'sound')
    if wrong:
        print(log)
    return bool(wrong)


if __name__ == '__main__':
    raise SystemExit(main())
