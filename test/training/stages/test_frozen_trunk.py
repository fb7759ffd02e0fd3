# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import csv
import json

import numpy as np
import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.finetune import finetune as run_finetune
from tetra_vpr_ros.training.stages.frozen_trunk import FrozenTrunk
import torch


@pytest.fixture
def second(recipe, trunk_file, tmp_path):
    """Return a recipe whose second stage freezes a block and keeps what it says."""
    recipe['finetune']['start'] = {'trunk': str(trunk_file), 'calibration': 8}
    recipe['finetune'].update(freeze_blocks=1, cache=str(tmp_path / 'trunk'), cache_views=2)
    return recipe


def finetune(config):
    return run_finetune(config, config.finetune, config.structure)


def pictures(count=3):
    return list(np.random.default_rng(0).integers(0, 255, (count, 56, 56, 3), np.uint8))


def test_what_is_kept_is_what_the_blocks_say(small_config, tmp_path):
    network = PlaceNetwork(small_config).eval()
    trunk = FrozenTrunk(tmp_path, {'a': '1', 'b': '2', 'c': '3'}, 2, network, 1, {})
    images = pictures()
    assert not trunk.has('a', 1)
    with torch.no_grad():
        kept = trunk(['a', 'b', 'c'], [1, 0, 1], images, bf16=False)
        whole = network.tokens(torch.from_numpy(np.stack(images)))
        assert torch.allclose(network.tokens_above(kept, 1), whole, atol=2e-2)
    assert trunk.has('a', 1)
    assert not trunk.has('a', 0)
    # No picture is needed any more, by another process neither.
    again = FrozenTrunk(tmp_path, {'a': '1', 'b': '2', 'c': '3'}, 2, network, 1, {})
    assert torch.equal(again(['c', 'a'], [1, 1], [None, None], bf16=False), kept[[2, 0]])


def test_what_another_trunk_says_is_refused(small_config, tmp_path):
    network = PlaceNetwork(small_config)
    one, described = {'a': '1'}, tmp_path / 'trunk.json'
    FrozenTrunk(tmp_path, one, 2, network, 1, {'seed': 0})

    def refused(pictures=one, views=2, other=network, depth=1, seed=0):
        with pytest.raises(ConfigError, match=r'finetune\.cache: .*remove it or name another'):
            FrozenTrunk(tmp_path, pictures, views, other, depth, {'seed': seed})

    refused({'b': '1'})
    refused({'a': '2'})  # another picture of the same name
    refused(views=3)
    refused(other=PlaceNetwork(small_config))
    refused(depth=2)
    refused(seed=1)
    FrozenTrunk(tmp_path, one, 2, network, 1, {'seed': 0})
    known = json.loads(described.read_text())
    described.write_text(json.dumps({key: known[key] for key in known if key != 'contents'}))
    FrozenTrunk(tmp_path, one, 2, network, 1, {'seed': 0})  # of before contents were told
    for damaged in ('', '[]', '{"names": '):
        described.write_text(damaged)
        refused()
    described.unlink()
    refused()


def test_it_trains_the_blocks_above_and_resumes_exactly(second, load, tmp_path, interrupted_at):
    changes = {'finetune__optimizer__steps': 24, 'finetune__optimizer__save_every': 8,
               'finetune__keep': 0.1, 'finetune__optimizer__validate_every': 100,
               'finetune__optimizer__learning_rate': 5e-4}
    whole = finetune(load(second, **changes))
    with (tmp_path / 'run' / 'finetune.csv').open(newline='') as file:
        losses = [float(row['total']) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    cut = load(second, **changes, run=str(tmp_path / 'cut'),
               finetune__cache=str(tmp_path / 'other'))
    with interrupted_at(16):
        finetune(cut)
    resumed = finetune(cut)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.allclose(a, b, atol=1e-6), name


def test_every_view_is_read_once(second, load, monkeypatch):
    from tetra_vpr_ros.training.stages import place_batch
    read, seen = place_batch.read_rgb, []

    def counted(path):
        seen.append(path)
        return read(path)

    monkeypatch.setattr(place_batch, 'read_rgb', counted)
    finetune(load(second, finetune__optimizer__steps=40,
                  finetune__optimizer__validate_every=100))
    decoded = [path for path in seen if path.suffix == '.png']
    # Two views of 24 pictures; what is prepared ahead may come twice.
    assert len(decoded) <= 2 * 24 + 40


def test_only_frozen_blocks_are_kept(second, load):
    with pytest.raises(ConfigError, match=r'set finetune\.freeze_blocks'):
        finetune(load(second, finetune__freeze_blocks=0))
