# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Maps from bags whose cameras send something else than RGB."""

from bag_factory import BagFactory
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.vision import decode_compressed

S = 1_000_000_000
T = 1_700_000_000 * S
N = 12


def nv12(rgb):
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    height, width = rgb.shape[:2]
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    return np.vstack([i420[:height], np.stack([u, v], -1).reshape(height // 2, width)])


def built(folder, tiny, write):
    with BagFactory(folder / 'run') as bag:
        for i in range(N):
            bag.odometry(T + i * S // 10, float(i))
            write(bag, T + i * S // 10, i)
    return build_map(BuildOptions(folder / 'm.vpr', (folder / 'run',), model=tiny),
                     progress=False)


def test_a_map_of_nv12_shows_what_one_of_rgb_does(tmp_path, street, tiny):
    pictures = [np.ascontiguousarray(street[15 * i][2]) for i in range(N)]
    report = built(tmp_path, tiny, lambda bag, stamp, i: bag.image(
        stamp, nv12(pictures[i]), encoding='nv12', height=len(pictures[i])))
    assert report.places == N
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        for place, picture in enumerate(pictures, 1):
            shown = decode_compressed(opened.thumbnail(place)).astype(int)
            assert np.abs(shown - picture).mean() < 8


@pytest.mark.parametrize('write, says', [
    (lambda bag, stamp, _: bag.image(stamp, np.zeros((48, 64), np.uint16), encoding='16UC1'),
     "encoding '16UC1' is not supported: .*colour or grey image.*/camera/image_raw"),
    (lambda bag, stamp, _: bag.jpeg(stamp, None, data=b'\0\0\0\1\x67\x42\0', form='h264'),
     "h264, a film's stream.*republish.*/camera/compressed")])
def test_what_cannot_be_decoded_is_refused_with_topic_and_mend(tmp_path, tiny, write, says):
    with pytest.raises(MapError, match=f'12 frames that cannot be decoded: .*{says}'):
        built(tmp_path, tiny, write)
    assert [path.name for path in tmp_path.iterdir()] == ['run']


def test_one_bad_picture_spoils_no_other(tmp_path, street, tiny):
    report = built(tmp_path, tiny, lambda bag, stamp, i: bag.jpeg(
        stamp, street[15 * i][2], data=b'\xff\xd8\xff' if i == 4 else None,
        form='rgb8; jpeg compressed bgr8'))
    assert (report.places, report.undecodable) == (N - 1, 1)
