# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import pytest

try:
    import pytorch_metric_learning  # noqa: F401
    import safetensors  # noqa: F401
    import torch
except ImportError:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py']


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def small_config():
    from tetra_vpr_ros.training.network.aggregation import AggregationConfig
    from tetra_vpr_ros.training.network.place_network import NetworkConfig
    from tetra_vpr_ros.training.network.vit import ViTConfig
    return NetworkConfig(ViTConfig(image_size=56, patch_size=14, width=48, depth=2, heads=3),
                         AggregationConfig(rows=2, cols=2, bits=128))


@pytest.fixture(scope='session')
def pictures(drive, tmp_path_factory):
    """Return a folder of 32 frames with their number, and one file that does not decode."""
    folder = tmp_path_factory.mktemp('pool') / 'lap'
    folder.mkdir()
    for i in range(32):
        small = cv2.resize(drive[6 * i][2], (160, 120), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f'walk_frame_{i:02d}.png'), small[:, :, ::-1])
    (folder / 'walk_frame_99.jpg').write_bytes(b'broken')
    return folder


@pytest.fixture(scope='session')
def resnet_file(tmp_path_factory):
    from safetensors.torch import save_file
    from tetra_vpr_ros.training.teachers.teachers import ResNet50Trunk
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('teacher') / 'resnet50.safetensors'
    save_file({k: v.half() for k, v in ResNet50Trunk().state_dict().items()}, str(path))
    return path


@pytest.fixture(scope='session')
def trunk_file(tmp_path_factory):
    from safetensors.torch import save_file
    from training_data import timm_state
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp('trunk') / 'trunk.safetensors'
    save_file(timm_state(), str(path))
    return path


@pytest.fixture
def recipe(pictures, resnet_file, trunk_file, tmp_path):
    """Return the shipped recipe in small: a few steps on a few pictures."""
    frames = {'kind': 'frames', 'path': str(pictures), 'radius': 2,
              'pattern': r'(?P<sequence>.*)_frame_(?P<frame>\d+)'}
    optimizer = {'batch': 4, 'steps': 6, 'warmup': 2, 'save_every': 2, 'validate_every': 3,
                 'bf16': False}
    return {
        'run': str(tmp_path / 'run'),
        'network': {'vit': {'image_size': 56, 'width': 48, 'depth': 2, 'heads': 3},
                    'aggregation': {'rows': 2, 'cols': 2, 'bits': 128}},
        'validation': {'patterns': ['_frame_(2[4-9]|3)'], 'places': [frames]},
        'distill': {
            'images': {str(pictures): 1}, 'cache': str(tmp_path / 'cache'),
            'teacher': {'kind': 'resnet50', 'path': str(resnet_file), 'image_size': 64,
                        'dims': 32},
            'start': {'trunk': str(trunk_file), 'calibration': 8},
            'losses': {'class_token': 0, 'patch': 1, 'attention': 0, 'descriptor': 1},
            'q_schedule': 'none', 'optimizer': optimizer},
        'finetune': {'places': [frames, {'kind': 'images', 'path': str(pictures)}],
                     'views': 2, 'optimizer': {**optimizer, 'learning_rate': 1e-4}},
        'export': {'out': str(tmp_path / 'models' / 'small.onnx'), 'version': '7',
                   'activations': 'static', 'calibration': 8,
                   'licence': 'none'}}


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a configuration and reads it back."""
    from tetra_vpr_ros.training.config import load_config
    from training_data import write_config

    def load(base, **changes):
        return load_config(write_config(tmp_path / 'config.yaml', base, **changes))

    return load
