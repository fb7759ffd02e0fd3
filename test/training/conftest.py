# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from contextlib import contextmanager

import cv2
import pytest

try:
    import pytorch_metric_learning  # noqa: F401
    import safetensors  # noqa: F401
    import torch
except ImportError:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py', '*/test_*.py']


@pytest.fixture(scope='session', autouse=True)
def one_thread():
    """Compute in one thread: on such small networks two wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    from tetra_vpr_ros.training.teachers.resnet50 import ResNet50Trunk
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


@pytest.fixture(scope='session')
def teacher(resnet_file):
    from tetra_vpr_ros.training.teachers.open_teacher import open_teacher, TeacherConfig
    return open_teacher(TeacherConfig('resnet50', str(resnet_file)))


@pytest.fixture(scope='session')
def cache_folder(pictures, teacher, tmp_path_factory):
    """Return the folder of the teacher's outputs, complete; who changes it takes a copy."""
    from tetra_vpr_ros.training.data.pool import find_images
    from tetra_vpr_ros.training.teachers.cache import build_cache
    from training_data import SPEC
    folder = tmp_path_factory.mktemp('cache')
    build_cache(folder, find_images(pictures), teacher, SPEC)
    return folder


@pytest.fixture(scope='session')
def cache(cache_folder):
    from tetra_vpr_ros.training.teachers.cache import TeacherCache
    return TeacherCache(cache_folder)


@pytest.fixture
def recipe(pictures, cache_folder, resnet_file, trunk_file, tmp_path):
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
            'images': {str(pictures): 1}, 'cache': str(cache_folder),
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
def interrupted_at(monkeypatch):
    """Return a context in which a run is interrupted behind its checkpoint of a step."""
    from tetra_vpr_ros.training.loop import loop

    @contextmanager
    def interrupted_at(step):
        save = loop.save_atomically

        def stop(state, path):
            save(state, path)
            if state['step'] == step and not path.stem.endswith('_best'):
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(loop, 'save_atomically', stop)
            yield

    return interrupted_at


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a configuration and reads it back."""
    from tetra_vpr_ros.training.config import load_config
    from training_data import write_config

    def load(base, **changes):
        return load_config(write_config(tmp_path / 'config.yaml', base, **changes))

    return load


@pytest.fixture
def vit_teacher(trunk_file):
    return {'kind': 'vit', 'path': str(trunk_file), 'image_size': 56, 'dims': 0,
            'attention_layers': 2, 'vit': {'image_size': 56, 'width': 48, 'depth': 2, 'heads': 3}}


@pytest.fixture(scope='session')
def rendered(tmp_path_factory):
    """Return pictures, label maps and depth of twelve places of a level."""
    from tetra_vpr_ros.simulation.sample_views import sample_level
    folder = tmp_path_factory.mktemp('rendered')
    for name in ('views', 'maps', 'depth'):
        (folder / name).mkdir()
    sample_level('map03', 24, folder / 'views', views=3, labels=folder / 'maps',
                 depth=folder / 'depth')
    return folder


@pytest.fixture
def structured(recipe, rendered, trunk_file):
    places = {'kind': 'utm', 'path': str(rendered / 'views'), 'radius': 2.5,
              'apart': 3.0}
    recipe['validation'] = {'patterns': ['@map03-00[89]@|@map03-01'], 'places': [places]}
    recipe['finetune'].update(places=[places], start={'trunk': str(trunk_file), 'calibration': 8})
    recipe['finetune']['optimizer']['steps'] = 4
    recipe['structure'] = {
        'sets': [{'places': places, 'labels': str(rendered / 'maps'), 'classes': 'worlds'}],
        'branch': {'side': 12, 'width': 24, 'depth': 1, 'heads': 2, 'rows': 2, 'cols': 2,
                   'dims': 64},
        'optimizer': {'batch': 4, 'steps': 30, 'learning_rate': 2e-3, 'save_every': 10,
                      'bf16': False},
        'right': 2, 'weight': 1.0}
    return recipe
