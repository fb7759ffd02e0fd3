# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.evaluation import calibrate_model
from tetra_vpr_ros.vision import default_model_path


@pytest.fixture
def drive(tmp_path, rng):
    """Return a folder of twelve pictures, a metre apart."""
    folder = tmp_path / 'drive'
    folder.mkdir()
    for i in range(12):
        cv2.imwrite(str(folder / f'{i}.jpg'), rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    return folder


@pytest.mark.parametrize('kind', ['poses', 'csv', 'frames', 'pairs'])
def test_a_truth_of_all_pictures_is_parted_as_they_are(drive, tmp_path, monkeypatch, kind):
    """Every second picture is a place: what is said of picture 3 is of query 1."""
    (drive / 'poses.tum').write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(12)))
    (drive / 'truth.csv').write_text('query,refs\n' + ''.join(
        f'{i},{" ".join(str(j) for j in (i - 1, i + 1) if 0 <= j < 12)}\n' for i in range(12)))
    (drive / 'pairs.csv').write_text('a,b\n' + ''.join(f'{i},{i + 1}\n' for i in range(11)))
    spec = {'poses': f'poses:{drive}/poses.tum:1.5', 'csv': f'csv:{drive}/truth.csv',
            'frames': 'frames:0', 'pairs': f'pairs:{drive}/pairs.csv'}[kind]
    seen = []

    def fitted(sets, strange, grid):
        seen.extend(sets)
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate_model, 'fit_match_model', fitted)
    with pytest.raises(KeyboardInterrupt):
        calibrate_model.calibrate_model(default_model_path(), [(drive, spec)], [],
                                        tmp_path / 'out.onnx')
    places, queries = np.arange(0, 12, 2), np.arange(1, 12, 2)
    if kind == 'frames':  # counts each by itself
        assert np.array_equal(seen[0].truth, np.eye(6, dtype=bool))
    else:
        assert np.array_equal(seen[0].truth, np.abs(np.subtract.outer(queries, places)) == 1)
    assert not (tmp_path / 'out.onnx').exists()
