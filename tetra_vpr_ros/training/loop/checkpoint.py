# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the training loop, and networks from them or from exported models."""

from __future__ import annotations

import os
from pathlib import Path

from tetra_vpr_ros.training.config_keys import ConfigError, from_mapping
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.onnx_export.restore import restore_network
from tetra_vpr_ros.vision.model_file import find_model
import torch


class CheckpointError(RuntimeError):
    """A file that holds no network of ours; the text names it."""


def load_network(path: Path) -> PlaceNetwork:
    """
    Restore a network from a checkpoint (``.pt``) or a model file (``.onnx``).

    A model file holds no latent weights: training continues from the rounded ones.

    :param path: of it, or the name of a model that the package ships.
    :raises CheckpointError: the file does not exist or is none of ours.
    """
    path = find_model(path)
    if not path.is_file():
        raise CheckpointError(f'no such checkpoint or model: {path}')
    try:
        return restore_network(path) if path.suffix == '.onnx' else _from_checkpoint(path)
    except (KeyError, ConfigError, RuntimeError, ValueError, EOFError) as error:
        raise CheckpointError(f'{path} holds no network of this package: {error}') from error
    except Exception as error:  # protobuf and pickle raise their own kinds
        raise CheckpointError(f'{path} cannot be read: {error}') from error


def _from_checkpoint(path: Path) -> PlaceNetwork:
    state = torch.load(path, weights_only=True, map_location='cpu')
    network = PlaceNetwork(from_mapping(NetworkConfig, state['config']))
    network.load_state_dict(state['network'])
    return network.eval()


STAGES = {'distill': ('distill_best.pt', 'distill.pt'),
          'finetune': ('finetune_best.pt', 'finetune.pt')}
"""Files of each stage, the best first."""

FITTED = ('interpolate.pt', 'words.pt', 'tokens.pt')
"""Files of what is made of a stage's network: others between it and its start, fitted heads."""


def newest_checkpoint(run: Path, *stages: str, fitted: bool = True) -> Path | None:
    """
    Return the checkpoint of the first of some stages that a run has.

    One with fitted heads is of the last stage that they were fitted after, and so counts while
    it is newer than that; of two the newer one was fitted on the other.

    :param run: folder.
    :param stages: of `STAGES`, the last one first.
    :param fitted: whether what was made of a stage's network later counts, too.
    """
    made = max((run / name for name in FITTED if fitted and (run / name).exists()), key=_age,
               default=None)
    for stage in stages:
        path = next((run / name for name in STAGES[stage] if (run / name).exists()), None)
        if path is not None:
            later = list(STAGES)[list(STAGES).index(stage) + 1:]
            newer = made is not None and _age(made) >= _age(path) and all(
                _age(made) < _age(run / name) for other in later for name in STAGES[other]
                if (run / name).exists())
            return made if newer else path
    return None


def _age(path: Path) -> float:
    return path.stat().st_mtime


def save_atomically(state: dict[str, object], path: Path) -> None:
    """Write a checkpoint so that a kill leaves the old one or the new one."""
    temporary = path.with_suffix('.tmp')
    torch.save(state, temporary)
    os.replace(temporary, path)
