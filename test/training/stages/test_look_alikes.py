# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Hard negatives: which other places look like one, and a stage 2 that draws them."""

import numpy as np
import pytest
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSetConfig
from tetra_vpr_ros.training.data.pool import read_rgb
from tetra_vpr_ros.training.data.views import student_view
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.finetune import finetune as run_finetune
from tetra_vpr_ros.training.stages.look_alikes import look_alikes
import torch


@pytest.fixture
def walk(pictures):
    return open_place_set(PlaceSetConfig(
        'frames', str(pictures), r'(?P<sequence>.*)_frame_(?P<frame>\d+)', radius=1))


def distances(network, part):
    """Return in how many bits each two pictures differ; what does not decode is nothing."""
    seen = [student_view(picture, (56, 56), np.random.default_rng(0), 1.0)
            for image in part.images if (picture := read_rgb(image.path)) is not None]
    with torch.no_grad():
        signs = (network(torch.from_numpy(np.stack(seen))) > 0).numpy()
    return (signs[:, None] != signs).sum(2)


def test_others_that_look_most_alike_are_named_first(small_config, walk, tmp_path):
    network = PlaceNetwork(small_config).eval()
    file = tmp_path / 'run' / 'alike.npz'
    (near,) = look_alikes(network, [walk], file, nearest=6)
    assert near.shape == (len(walk), 6)
    broken = next(i for i, image in enumerate(walk.images) if image.path.suffix == '.jpg')
    assert broken == len(walk) - 1
    assert (near[broken] == -1).all()
    assert broken not in near[:broken]
    apart = distances(network, walk)
    for image, named in enumerate(near[:broken]):
        others = np.setdiff1d(np.arange(broken), walk.perhaps_same(image))
        assert set(named) <= set(others)
        # bfloat16 moves bits where a processor has it: near the best, not exactly the best.
        best = np.sort(apart[image, others])[:6]
        assert np.abs(np.sort(apart[image, named]) - best).max() <= 6


def test_the_answer_is_kept_while_the_pictures_are_the_same(small_config, walk, tmp_path):
    file = tmp_path / 'alike.npz'
    (first,) = look_alikes(PlaceNetwork(small_config).eval(), [walk], file)
    torch.manual_seed(7)
    other = PlaceNetwork(small_config).eval()
    (second,) = look_alikes(other, [walk], file)
    assert np.array_equal(first, second)
    fewer = walk.subset(np.arange(len(walk)) < 20)
    nobody = walk.subset(np.zeros(len(walk), bool))
    third, none = look_alikes(other, [fewer, nobody], file)
    assert (len(third), len(none)) == (20, 0)
    assert list(tmp_path.iterdir()) == [file]


def test_a_run_with_hard_negatives_resumes_exactly(recipe, trunk_file, load, tmp_path,
                                                   interrupted_at):
    recipe['finetune']['start'] = {'trunk': str(trunk_file), 'calibration': 8}
    changes = {'finetune__alike': 1.0, 'finetune__optimizer__steps': 12,
               'finetune__optimizer__save_every': 4, 'finetune__optimizer__validate_every': 100}

    def finetune(config):
        return run_finetune(config, config.finetune, config.structure)

    whole = finetune(load(recipe, **changes))
    cut = load(recipe, **changes, run=str(tmp_path / 'cut'))
    with interrupted_at(8):
        finetune(cut)
    for (name, a), b in zip(whole.state_dict().items(), finetune(cut).state_dict().values()):
        assert torch.equal(a, b), name
