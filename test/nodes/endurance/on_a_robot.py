# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what the active localizer takes from a robot: memory, and a core's time idle and at work.

``python test/nodes/endurance/on_a_robot.py`` prints the figures of docs/performance.md.
"""

import argparse
import json
from pathlib import Path
import sys
import tempfile
import time

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'test' / 'nodes')]

PLACES = 10_000


def measure(probe, localizer, jpeg, seconds, rate):
    """
    Watch a localizer that is active with ``/cam`` as its compressed camera.

    :param jpeg: shown at ``rate`` Hz for so many seconds, after as many without a frame.
    :returns: share of a core and resident memory, idle and at work.
    """
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage
    from soak import processor_seconds, resident_mb
    publisher = probe.publisher(CompressedImage, '/cam/compressed', qos_profile_sensor_data)
    assert probe.spin(lambda: publisher.get_subscription_count() > 0), localizer.log
    pid, found = localizer.process.pid, {}
    for what, frames in (('idle', 0), ('at work', round(seconds * rate))):
        began, before = time.monotonic(), processor_seconds(pid)
        for i in range(frames):
            message = CompressedImage(format='jpeg', data=jpeg)
            message.header.stamp = probe.node.get_clock().now().to_msg()
            publisher.publish(message)
            probe.spin(seconds=max(0.0, began + (i + 1) / rate - time.monotonic()))
        probe.spin(seconds=max(0.0, began + seconds - time.monotonic()))
        passed = time.monotonic() - began
        found[what] = {'share of a core': (processor_seconds(pid) - before) / passed,
                       'resident MB': resident_mb(pid),
                       'of it shared with other processes MB': resident_mb(pid, 'RssShmem')}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--rate', type=float, default=10.0)
    options = parser.parse_args()
    from local_ros import claim_domain, keep_here
    keep_here(claim_domain())
    from soak import diagnostics, localizing
    from tetra_vpr_ros.evaluation.cost.frame import camera_picture, write_line_map
    from tetra_vpr_ros.vision import PlaceEncoder
    with tempfile.TemporaryDirectory() as name:
        folder, jpeg = Path(name), camera_picture()
        write_line_map(folder / 'map.vpr', PlaceEncoder(), jpeg, PLACES)
        with localizing(folder, folder / 'map.vpr') as (probe, localizer):
            found = measure(probe, localizer, jpeg, options.seconds, options.rate)
            values = diagnostics(probe, localizer)
    print(json.dumps({**found, **{key: value for key, value in values.items()
                                  if key.startswith(('frames', 'latency'))}}, indent=1))


if __name__ == '__main__':
    main()
