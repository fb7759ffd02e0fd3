# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from sample_data import MATCHES
from tetra_vpr_ros.evaluation import calibrate_model
from tetra_vpr_ros.evaluation.recognition.matching import NOTHING_KINDS
from tetra_vpr_ros.vision import default_model_path, PlaceEncoder


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


def test_what_shows_nothing_is_foreign_and_remembered(drive, tmp_path, monkeypatch):
    encoder = PlaceEncoder(default_model_path())
    seen = []

    def fitted(sets, strange, grid):
        seen.extend(strange)
        return MATCHES

    monkeypatch.setattr(calibrate_model, 'fit_match_model', fitted)
    found = calibrate_model.calibrate_model(default_model_path(), [(drive, 'frames:0')], [],
                                            tmp_path / 'out.onnx')
    typical = found.of_nothing(encoder.info.token_shape)
    assert len(typical) == NOTHING_KINDS
    assert len(seen[-1].tokens) % NOTHING_KINDS == 0
    written = PlaceEncoder(tmp_path / 'out.onnx').info
    assert written.match_model == found
    # Maps of the model as it was, and of what it was before, are maps of the new file.
    assert written.fingerprint != encoder.info.fingerprint
    assert written.former == (*encoder.info.former, encoder.info.fingerprint)
    assert written.encodes_like(encoder.info.fingerprint)
    assert not encoder.info.encodes_like(written.fingerprint)
    # Another sensor's noise in the dark is nearer to them than a picture that shows something.
    dark = np.random.default_rng(5).normal(12, 4, (300, 400, 3)).clip(0, 255).astype(np.uint8)
    chart = np.zeros((300, 400, 3), np.uint8)
    chart[50:200, 80:300] = 255
    cv2.circle(chart, (200, 150), 60, (200, 30, 30), -1)
    apart = [np.unpackbits(tokens ^ typical[0]).mean()
             for tokens in encoder.encode_with_tokens([dark, chart]).tokens]
    assert apart[0] < 0.3 < 0.33 < apart[1]
