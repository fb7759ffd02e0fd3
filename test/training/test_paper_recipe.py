# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The paper's recipe from end to end: only paths, sizes and numbers of steps are smaller."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.config import load_config
from tetra_vpr_ros.training.train import main
from tetra_vpr_ros.vision import PlaceEncoder
from training_data import write_config
import yaml

ROOT = Path(__file__).resolve().parents[2]
HEADER = 'place_id,year,month,northdeg,city_id,lat,lon,panoid\n'


@pytest.fixture
def gsv(pictures, tmp_path):
    """Return a city of GSV-Cities: eight places, four pictures of each."""
    folder, rows = tmp_path / 'gsv-cities', []
    (folder / 'Images' / 'Town').mkdir(parents=True)
    for i, path in enumerate(sorted(pictures.glob('*.png'))):
        place, view = divmod(i, 4)
        cv2.imwrite(str(folder / 'Images' / 'Town' / f'Town_{place:07d}_2020_0{view + 1}_000_1.0_'
                        f'2.0_p{i}.JPG'), cv2.imread(str(path)))
        rows.append(f'{place},2020,{view + 1},0,Town,1.0,2.0,p{i}\n')
    (folder / 'Dataframes').mkdir()
    (folder / 'Dataframes' / 'Town.csv').write_text(HEADER + ''.join(rows))
    return folder


@pytest.fixture
def dinov2(tmp_path):
    transformers = pytest.importorskip('transformers')
    config = transformers.Dinov2Config(hidden_size=48, num_hidden_layers=4, num_attention_heads=3,
                                       image_size=56, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(tmp_path / 'dino')
    return tmp_path / 'dino'


def test_both_stages_and_the_export(pictures, gsv, dinov2, tmp_path):
    recipe = yaml.safe_load((ROOT / 'config/training/tetra_base_paper.yaml').read_text())
    few = {'steps': 2, 'batch': 4, 'warmup': 1, 'save_every': 1, 'validate_every': 2,
           'workers': 1, 'learning_rate': 1e-4}
    recipe['network']['vit'].update(image_size=56, width=48, depth=4, heads=3)
    recipe['network']['aggregation'].update(bits=128, channels=24, queries=4)
    recipe['validation'] = {'share': 0.3, 'places': [{'kind': 'gsv', 'path': str(gsv)}]}
    recipe['distill']['images'] = {str(pictures): 1}
    recipe['distill']['teacher'].update(path=str(dinov2), image_size=56)
    recipe['distill']['optimizer'].update(few)
    recipe['finetune']['places'] = [{'kind': 'gsv', 'path': str(gsv)}]
    recipe['finetune']['freeze_blocks'] = 3
    recipe['finetune']['optimizer'].update(few)
    path = write_config(tmp_path / 'paper.yaml', recipe, run=str(tmp_path / 'run'),
                        export__out=str(tmp_path / 'paper.onnx'))
    assert load_config(path).distill.losses.attention == 0.05
    for verb in ('distill', 'finetune', 'export'):
        assert main([verb, '--config', str(path)]) == 0, verb
    encoder = PlaceEncoder(tmp_path / 'paper.onnx')
    assert encoder.encode(np.zeros((56, 56, 3), np.uint8)).shape == (16,)
