# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The shipped file in the oldest onnxruntime that it is meant for."""

import os
import subprocess
import sys

import numpy as np
import pytest
from tetra_vpr_ros.vision import default_model_path, PlaceEncoder

OLDEST = '1.16.3'
PROGRAM = """
import sys
import numpy, onnxruntime
assert onnxruntime.__version__ == sys.argv[1], onnxruntime.__version__
session = onnxruntime.InferenceSession(sys.argv[2], providers=['CPUExecutionProvider'])
numpy.save(sys.argv[4], session.run(None, {'image': numpy.load(sys.argv[3])})[0])
"""


@pytest.mark.skipif(sys.version_info >= (3, 12),
                    reason=f'onnxruntime {OLDEST} ends at Python 3.11')
def test_the_oldest_runtime_gives_the_same_descriptors(tmp_path, drive):
    folder = tmp_path / 'packages'
    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '-q', '--target', str(folder),
         f'onnxruntime=={OLDEST}', 'numpy<2'], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'onnxruntime {OLDEST} cannot be installed here: {done.stderr[-200:]}')
    encoder = PlaceEncoder()
    height, width = encoder.info.height, encoder.info.width
    images = np.stack([frame[2][:height, :width] for frame in drive[::40]])
    np.save(tmp_path / 'images.npy', images)
    environment = {**os.environ, 'PYTHONPATH': str(folder)}
    subprocess.run([sys.executable, '-c', PROGRAM, OLDEST, str(default_model_path()),
                    str(tmp_path / 'images.npy'), str(tmp_path / 'out.npy')],
                   check=True, env=environment)
    found = np.load(tmp_path / 'out.npy')
    assert np.unpackbits(found ^ encoder.encode_batch(list(images))).mean() <= 0.01
