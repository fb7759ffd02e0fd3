# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
from PIL import Image
import pytest
from sample_data import DATA
from tetra_vpr_ros.simulation.level import CLASSES
from tetra_vpr_ros.training.data.label_maps import (
    ClassTable, encode_label_map, GROUPS, LabelMapError, read_label_map)

CAMVID = DATA / 'pool' / 'camvid_labels'


def covered(encoded):
    return {name: float(encoded[i].mean()) for i, name in enumerate(GROUPS)}


def test_cells_say_how_much_a_group_covers():
    labels = np.zeros((40, 60), np.uint8)  # sky above, road below, a car, and a void corner
    labels[20:] = 3
    labels[30:35, 10:20] = 8
    labels[:4, :6] = 11
    encoded = encode_label_map(labels, ClassTable.load('camvid'), 4)
    assert encoded.shape == (len(GROUPS), 4, 4)
    assert encoded.dtype == np.float32
    shares = covered(encoded)
    assert shares['road'] == pytest.approx(0.5 - 50 / 2400)
    assert shares['dynamic'] == pytest.approx(50 / 2400)
    assert shares['sky'] == pytest.approx(0.5 - 24 / 2400)
    total = encoded.sum(0)
    assert total[0, 0] == pytest.approx(1 - 24 / 150)  # void belongs to no group
    assert np.allclose(np.delete(total.ravel(), 0), 1)
    assert (encoded[GROUPS.index('sky'), 2:] == 0).all()  # where things are is kept


@pytest.mark.data
def test_a_real_street():
    if not CAMVID.is_dir():
        pytest.skip('../shared/data/pool/camvid_labels is not here')
    found = [covered(encode_label_map(read_label_map(path), ClassTable.load('camvid'), 28))
             for path in sorted(CAMVID.glob('*.png'))[::50]]
    mean = {name: np.mean([shares[name] for shares in found]) for name in GROUPS}
    assert 0.15 < mean['road'] < 0.5
    assert 0.05 < mean['sky'] < 0.4
    assert 0.01 < mean['dynamic'] < 0.3
    assert mean['ceiling'] == 0


def test_indices_are_read_not_colours(tmp_path):
    labels = np.random.default_rng(0).integers(0, 12, (30, 40), dtype=np.uint8)
    indexed = Image.new('P', (40, 30))
    indexed.putdata(labels.ravel().tolist())
    indexed.putpalette([255 - i for i in range(256) for _ in range(3)])
    indexed.save(tmp_path / 'indexed.png')
    assert np.array_equal(read_label_map(tmp_path / 'indexed.png'), labels)
    cv2.imwrite(str(tmp_path / 'grey.png'), labels)
    assert np.array_equal(read_label_map(tmp_path / 'grey.png'), labels)
    cv2.imwrite(str(tmp_path / 'colour.png'), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(LabelMapError, match=r'colour\.png has mode RGB'):
        read_label_map(tmp_path / 'colour.png')
    (tmp_path / 'text.png').write_text('no picture')
    with pytest.raises(LabelMapError, match=r'text\.png is no label map'):
        read_label_map(tmp_path / 'text.png')


def test_class_tables(tmp_path):
    assert set(ClassTable.load('worlds').groups) == set(range(len(CLASSES)))
    own = tmp_path / 'own.yaml'
    own.write_text('0: sky\n7: road\n')
    channels = ClassTable.load(str(own)).channels()
    assert (channels[0], channels[7], channels[1]) == (0, GROUPS.index('road'), -1)
    for text, says in (('0: heaven\n', r"groups must be of sky.*\['heaven'\]"),
                       ('- 1\n', 'no class'), ('300: sky\n', 'indices 0 to'),
                       ('[', 'no class table')):
        own.write_text(text)
        with pytest.raises(LabelMapError, match=says):
            ClassTable.load(str(own))
    with pytest.raises(LabelMapError, match="no class table 'cityscapes'"):
        ClassTable.load('cityscapes')
