# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.vision import ImageError
from tetra_vpr_ros.vision.side_by_side import side_by_side


def test_a_query_stands_left_of_its_reference():
    red, blue = np.zeros((120, 160, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)
    red[:, :, 0], blue[:, :, 2] = 255, 255
    reference = cv2.imencode('.jpg', blue[:, :, ::-1])[1].tobytes()
    drawn = cv2.imdecode(np.frombuffer(side_by_side(red, reference, 'place 3'), np.uint8), 1)
    assert drawn.shape == (264, 640, 3)
    assert drawn[120, 160].argmax() == 2  # BGR
    assert drawn[120, 480].argmax() == 0
    assert drawn[240:].max() > 200  # the text
    empty = cv2.imdecode(np.frombuffer(side_by_side(red, None, ''), np.uint8), 1)
    assert empty.shape == drawn.shape
    assert empty[120, 480].max() < 60


@pytest.mark.parametrize('shape', [(1, 40000, 3), (1, 1000, 3), (240, 16001, 3)])
def test_a_frame_that_cannot_be_drawn_is_refused_before_it_takes_memory(shape, monkeypatch):
    monkeypatch.setattr(cv2, 'resize', lambda *_, **__: pytest.fail('it was resized'))
    with pytest.raises(ImageError, match=f'{shape[1]}x{shape[0]} cannot be drawn'):
        side_by_side(np.zeros(shape, np.uint8), None, '')


def test_the_widest_frame_is_drawn():
    side_by_side(np.zeros((240, 16000, 3), np.uint8), None, 'wide')
