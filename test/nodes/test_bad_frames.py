# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A thousand malformed messages, and the node is alive afterwards."""

import random
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros


def good(image, stamp):
    message = Image(height=image.shape[0], width=image.shape[1], encoding='rgb8',
                    step=image.shape[1] * 3)
    message.data = image.tobytes()
    message.header.stamp = stamp
    return message


def spoil(message, kind, source):
    """Make one thing of a good message wrong."""
    if kind == 'empty':
        message.height = message.width = message.step = 0
        message.data = b''
    elif kind == 'encoding':
        message.encoding = source.choice(['', '32FC1', 'jpeg', 'rgb16', 'äöü'])
    elif kind == 'step':
        message.step = source.choice([0, 1, message.step - 1, 2**32 - 1])
    elif kind == 'short':
        message.data = message.data[:source.randrange(len(message.data))]
    elif kind == 'huge':
        message.height = message.width = 10_000
        message.step = 30_000
    elif kind == 'overflow':
        message.height = message.width = 2**32 - 1
    elif kind == 'zero stamp':
        message.header.stamp.sec = message.header.stamp.nanosec = 0
    elif kind == 'negative stamp':
        message.header.stamp.sec = -5
    elif kind == 'future':
        message.header.stamp.sec += source.choice([60, 10**6])
    return message


KINDS = ('empty', 'encoding', 'step', 'short', 'huge', 'overflow', 'zero stamp',
         'negative stamp', 'future')


def test_a_thousand_malformed_messages(start, probe, map_file, rng):
    localizer = start(map=map_file, autostart=True, image_topics='[/cam]')
    packed = start(map=map_file, autostart=True, image_topics='[/cam]',
                   image_transport='compressed', frame_id='floor2')
    # two nodes of one name would be confused: the second is only sent compressed images
    publisher = probe.node.create_publisher(Image, '/cam', QoSProfile(depth=50))
    compressed = probe.node.create_publisher(
        CompressedImage, '/cam/compressed', qos_profile_sensor_data)
    assert probe.spin(lambda: publisher.get_subscription_count()
                      and compressed.get_subscription_count(), 40)
    probe.listen('/diagnostics', DiagnosticArray)
    probe.listen('/vpr/candidates', PoseArray)
    source = random.Random(1)
    small = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    for i in range(1000):
        stamp = probe.node.get_clock().now().to_msg()
        publisher.publish(spoil(good(small, stamp), KINDS[i % len(KINDS)], source))
        if i % 5 == 0:
            message = CompressedImage(format='jpeg')
            message.header.stamp = stamp
            message.data = source.choice([b'', b'\xff\xd8', rng.bytes(300), b'\x89PNG\r\n\x1a\n'])
            compressed.publish(message)
        time.sleep(0.002)
    time.sleep(0.5)
    assert localizer.alive
    assert packed.alive
    assert not probe.received['/vpr/candidates']
    publisher.publish(good(small, probe.node.get_clock().now().to_msg()))
    assert probe.spin(lambda: probe.received['/vpr/candidates'], 10), localizer.log
    # Two nodes of one name publish diagnostics: raw frames are the larger count.
    probe.received['/diagnostics'].clear()
    assert probe.spin(lambda: len(probe.received['/diagnostics']) >= 4, 10)
    counts = [{item.key: item.value for item in array.status[0].values}
              for array in probe.received['/diagnostics']]
    raw = max(counts, key=lambda c: int(c['frames received']))
    assert int(raw['frames received']) > 900
    assert int(raw['frames failed']) == 0
    assert (int(raw['frames refused']) + int(raw['frames dropped for a newer one']) + 1
            == int(raw['frames received']))
    assert '/cam: frame refused' in localizer.log
    assert 'Traceback' not in localizer.log
    warnings = localizer.log.count('frame refused')
    assert warnings < 20, 'the warning must be throttled'
    assert '/cam/compressed: frame refused' in packed.log


@pytest.mark.parametrize('kind, says', [
    ('empty', 'empty'), ('encoding', 'not supported'), ('step', 'step|bytes'),
    ('short', 'bytes of data'), ('huge', 'more than the'), ('zero stamp', 'stamp is 0'),
    ('future', 'in the future')])
def test_the_warning_says_what_is_wrong(kind, says, rng):
    from builtin_interfaces.msg import Time
    from tetra_vpr_ros.nodes.localizer.conversions import image_from_message
    from tetra_vpr_ros.vision import ImageError
    small = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    message = spoil(good(small, Time(sec=10)), kind, random.Random(2))
    if 'stamp' in kind or kind == 'future':
        assert image_from_message(message).shape == small.shape  # only the stamp is wrong
    else:
        with pytest.raises(ImageError, match=says):
            image_from_message(message)
