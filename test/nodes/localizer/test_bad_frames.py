# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A thousand malformed messages, and the node is alive afterwards."""

from collections import Counter
import random
import re
import shutil
import time

from camera import image_message, stamped
import numpy as np
from processes import LOSSLESS
import pytest
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros


def spoil(message, kind, source):
    """Make one thing of a good message wrong."""
    if kind == 'empty':
        message.height = message.width = message.step = 0
        message.data = b''
    elif kind == 'encoding':
        message.encoding = source.choice(['', '32FC1', 'jpeg', 'rgb16', 'äöü'])
    elif kind == 'step':
        message.step = source.choice([2, 1, message.step - 1, 2**32 - 1])
    elif kind == 'short':
        message.data = message.data[:source.randrange(len(message.data))]
    elif kind == 'huge':
        message.height = message.width = 12_000
        message.step = 36_000
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


def newest_counts(probe, path):
    """Return the newest diagnostics of the localizer with this map; two publish them here."""
    for array in reversed(probe.received['/diagnostics']):
        values = probe.values_of(array)[1]
        if values['map'] == str(path):
            return {key: int(value) for key, value in values.items() if key.startswith('frames')}
    return {}


def test_a_thousand_malformed_messages(bring_up, start, probe, wall_map, rng, tmp_path):
    localizer = bring_up(map=wall_map, image_topics=['/cam'])
    own_map = shutil.copy(wall_map, tmp_path / 'own.vpr')  # tells whose diagnostics they are
    packed = start(map=own_map, autostart=True, image_topics='[/cam]',
                   image_transport='compressed', **LOSSLESS)
    publisher = probe.publisher(Image, '/cam')
    compressed = probe.publisher(CompressedImage, '/cam/compressed')
    assert probe.spin(lambda: publisher.get_subscription_count()
                      and compressed.get_subscription_count()), packed.log
    assert probe.spin(lambda: newest_counts(probe, wall_map) and newest_counts(probe, own_map))
    source = random.Random(1)
    small = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)

    def now():
        stamp = probe.node.get_clock().now().nanoseconds
        return stamp - stamp % 1000

    began = time.monotonic()
    # In portions that both nodes have seen before the next is sent.
    for sent in range(0, 1000, 250):
        for i in range(sent, sent + 250):
            publisher.publish(spoil(stamped(image_message(small), now()), KINDS[i % len(KINDS)],
                                    source))
            if i % 5 == 0:
                data = source.choice([b'', b'\xff\xd8', rng.bytes(300), b'\x89PNG\r\n\x1a\n'])
                compressed.publish(stamped(CompressedImage(format='jpeg', data=data), now()))
        for path, count in ((wall_map, sent + 250), (own_map, (sent + 250) // 5)):
            assert probe.spin(lambda path=path, count=count: newest_counts(probe, path)[
                'frames received'] == count), newest_counts(probe, path)
    assert localizer.alive
    assert packed.alive
    assert not probe.received['/vpr/candidates']
    stamp = now()
    publisher.publish(stamped(image_message(small), stamp))
    assert probe.answered(stamp), localizer.log
    assert probe.spin(lambda: newest_counts(probe, wall_map)['frames processed'] == 1)

    def settled(path):
        counts = newest_counts(probe, path)
        return counts['frames received'] == (
            counts['frames refused'] + counts['frames processed']
            + counts['frames dropped for a newer one'])

    assert probe.spin(lambda: settled(wall_map) and settled(own_map))
    for path, received, processed in ((wall_map, 1001, 1), (own_map, 200, 0)):
        counts = newest_counts(probe, path)
        assert counts['frames received'] == received
        assert counts['frames failed'] == 0
        assert counts['frames processed'] == processed
        assert counts['frames refused'] >= 4  # one of each portion at least
        assert (counts['frames refused'] + counts['frames dropped for a newer one'] + processed
                == received)
    assert '/cam: frame refused' in localizer.log
    assert 'Traceback' not in localizer.log
    reasons = Counter(re.sub(r'\d[\d.]*', '', line.partition('/cam: ')[2])
                      for line in localizer.log.splitlines() if 'frame refused' in line)
    assert len(reasons) > len(KINDS)  # none hides another
    most = max(reasons.values())
    assert most <= 1 + (time.monotonic() - began) / 5.0, 'each warning must be throttled'
    assert '/cam/compressed: frame refused' in packed.log


@pytest.mark.parametrize('kind, says', [
    ('empty', 'empty'), ('encoding', 'not supported'), ('step', 'step|bytes'),
    ('short', 'bytes of data'), ('huge', 'more than the'), ('zero stamp', 'stamp is 0'),
    ('future', 'in the future')])
def test_the_warning_says_what_is_wrong(kind, says, rng):
    from tetra_vpr_ros.nodes.localizer.conversions import image_from_message
    from tetra_vpr_ros.vision import ImageError
    small = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    message = spoil(stamped(image_message(small), 10**10), kind, random.Random(2))
    if 'stamp' in kind or kind == 'future':
        assert image_from_message(message).shape == small.shape  # only the stamp is wrong
    else:
        with pytest.raises(ImageError, match=says):
            image_from_message(message)
