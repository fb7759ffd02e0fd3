# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs of the ``train`` command do."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tetra_vpr_ros.command_line import make_folders
from tetra_vpr_ros.training.config import TrainConfig
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.calibration import calibration_images
from tetra_vpr_ros.training.data.label_maps import LabelMapError
from tetra_vpr_ros.training.data.place_sets import PlaceSetError
from tetra_vpr_ros.training.data.pool import find_images, read_rgb
from tetra_vpr_ros.training.data.views import resized
from tetra_vpr_ros.training.heads.tokens import fit_tokens
from tetra_vpr_ros.training.heads.words import fit_words
from tetra_vpr_ros.training.loop.checkpoint import (
    CheckpointError, load_network, newest_checkpoint, save_atomically)
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.place_network import binarize, network_entry, PlaceNetwork
from tetra_vpr_ros.training.network.static_activations import static_network
from tetra_vpr_ros.training.onnx_export.export import export_model, PatchWeights
from tetra_vpr_ros.training.onnx_export.graph import Format
from tetra_vpr_ros.training.onnx_export.restore import model_metadata
from tetra_vpr_ros.training.stages.ablation import ablate as run_ablation
from tetra_vpr_ros.training.stages.ablation import table
from tetra_vpr_ros.training.stages.distill import distill as run_distill
from tetra_vpr_ros.training.stages.finetune import finetune as run_finetune
from tetra_vpr_ros.training.stages.finetune import first_network
from tetra_vpr_ros.training.stages.interpolate import interpolate as between
from tetra_vpr_ros.training.structure.segment import segment_folder, Segmenter
from tetra_vpr_ros.training.structure.structural_knowledge import audit as audit_structure
from tetra_vpr_ros.training.teachers.teacher import TeacherError
from tetra_vpr_ros.vision.image_files import natural_order
from tetra_vpr_ros.vision.model_file import find_model
import torch
from torch.nn import functional as F

ERRORS = (CheckpointError, LabelMapError, PlaceSetError, TeacherError, FileNotFoundError,
          FloatingPointError, RuntimeError, ValueError, KeyError)


def distill(config: TrainConfig, options: argparse.Namespace) -> int:
    """Run stage 1."""
    run_distill(config, config.distill)
    return 0


def finetune(config: TrainConfig, options: argparse.Namespace) -> int:
    """Run stage 2."""
    run_finetune(config, config.finetune, config.structure)
    return 0


def segment(config: TrainConfig, options: argparse.Namespace) -> int:
    """Write label maps."""
    written, skipped = segment_folder(Segmenter(options.model), options.images, options.out)
    print(f'{options.out}: {written} new label maps, {skipped} pictures do not decode')
    return 0


def audit(config: TrainConfig, options: argparse.Namespace) -> int:
    """Count who is right on the validation split."""
    network = (load_network(options.checkpoint) if options.checkpoint is not None
               else first_network(config, config.finetune).eval())
    counts, advice = audit_structure(config, config.structure, network)
    print(', '.join(f'{name}: {count}' for name, count in counts.items()))
    print(advice)
    return 0


def ablate(config: TrainConfig, options: argparse.Namespace) -> int:
    """Train and compare the four arms."""
    print(table(run_ablation(config, config.finetune, config.structure, options.seeds)))
    return 0


def tokens(config: TrainConfig, options: argparse.Namespace) -> int:
    """Fit the head of the patch tokens."""
    checkpoint = chosen_checkpoint(config, options)
    network = fit_tokens(config, config.distill, config.tokens, load_network(checkpoint))
    path = _save_fitted(network, config, options)
    print(f'{path}: {network.config.token_bits} bits of a token, the rest from {checkpoint}')
    return 0


def words(config: TrainConfig, options: argparse.Namespace) -> int:
    """Fit the descriptor of visual words."""
    checkpoint = chosen_checkpoint(config, options)
    network = fit_words(config, config.distill, config.words, load_network(checkpoint))
    path = _save_fitted(network, config, options)
    print(f'{path}: {network.config.bits} bits of {config.words.words} words, the rest from '
          f'{checkpoint}')
    return 0


def interpolate(config: TrainConfig, options: argparse.Namespace) -> int:
    """Write the network between a trained one and its start."""
    checkpoint = chosen_checkpoint(config, options, fitted=False)  # never of itself
    network = between(config.interpolate, load_network(checkpoint))
    path = _save_fitted(network, config, options)
    print(f'{path}: {config.interpolate.share:g} of {checkpoint}, the rest of '
          f'{config.interpolate.start}')
    return 0


def _save_fitted(network: PlaceNetwork, config: TrainConfig, options: argparse.Namespace) -> Path:
    path = Path(options.out or Path(config.run) / f'{options.verb}.pt')
    if path.suffix == '.onnx':
        raise ConfigError(f"--out: {path} is a checkpoint: name it .pt and 'train export' it")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_atomically({'config': network_entry(network.config), 'network': network.state_dict()},
                    path)
    return path


def chosen_checkpoint(config: TrainConfig, options: argparse.Namespace, fitted: bool = True
                      ) -> Path:
    """
    Return the checkpoint that is asked for, or the best of the last stage.

    :param fitted: see `newest_checkpoint`.
    :raises ConfigError: the run holds none.
    """
    if options.checkpoint is not None:
        return find_model(options.checkpoint)
    found = newest_checkpoint(Path(config.run), 'finetune', 'distill', fitted=fitted)
    if found is None:
        raise ConfigError(f"run: {config.run} holds no checkpoint: run 'train distill' first")
    return found


def export(config: TrainConfig, options: argparse.Namespace) -> int:
    """Write the model file; another model file's weights can be stored in another format."""
    entry = config.export
    if not (options.out or entry.out):
        raise ConfigError('export.out names no file, nor does --out')
    out = Path(options.out or entry.out)
    make_folders(out)
    if options.untrained:
        return export_untrained(config, out, options.format or entry.weight_format,
                                entry.patch_weights)
    checkpoint = chosen_checkpoint(config, options)
    network = load_network(checkpoint)
    metadata = entry.metadata(out)
    if options.config is None and checkpoint.suffix == '.onnx':
        # Stored in another form it is the same training, but a file of its own name.
        metadata = {**model_metadata(checkpoint), 'name': metadata['name']}
    if entry.activations == 'static' and network.config.vit.activations == 'token':
        network = static_network(network, training_images(config, entry.calibration))
    path = export_model(network, out, metadata, options.format or entry.weight_format,
                        entry.patch_weights)
    print(f'{path}: {path.stat().st_size / 1e6:.2f} MB, from {checkpoint}')
    return 0


def export_untrained(config: TrainConfig, out: Path, weight_format: Format,
                     patch_weights: PatchWeights) -> int:
    """Write a network with random weights: what a design costs is known before training."""
    torch.manual_seed(config.seed)
    network = PlaceNetwork(config.network).eval()
    if network.token_head is not None:
        network.token_head.weight.normal_()
    if config.export.activations == 'static' and network.config.vit.activations == 'token':
        height, width = config.network.vit.input_size
        noise = torch.randint(0, 256, (4, height, width, 3), dtype=torch.uint8)
        network = static_network(network, noise)
    metadata = {'name': f'untrained-{out.stem}', 'version': '0', 'recipe': 'none',
                'data': 'none: random weights, only to be timed', 'licence': 'Apache-2.0'}
    path = export_model(network, out, metadata, weight_format, patch_weights)
    print(f'{path}: {path.stat().st_size / 1e6:.2f} MB, random weights')
    return 0


def training_images(config: TrainConfig, count: int) -> torch.Tensor:
    """
    Return training images of stage 1, half of them in changed light.

    :raises ConfigError: there are none.
    """
    pool = config.distill.pictures(config.validation.held_out())
    images = calibration_images(pool, count, config.network.vit.input_size, config.seed)
    if not len(images):
        raise ConfigError('export.activations: static needs images to calibrate on: name some '
                          'in distill.images')
    return images


def evaluate(config: TrainConfig, options: argparse.Namespace) -> int:
    """Print recall@1 on the held-out places, or on two aligned traverses."""
    checkpoint = chosen_checkpoint(config, options)
    network = load_network(checkpoint)
    print(f'{checkpoint}: {network.config.bits} bits')
    if options.database is not None or options.queries is not None:
        if options.database is None or options.queries is None:
            raise ConfigError('--database and --queries belong together')
        database, places = embed(network, options.database)
        queries, frames = embed(network, options.queries)
        apart = np.abs(frames[:, None] - places[None])
        truth = torch.from_numpy(apart <= options.tolerance)
        countable = truth.any(1)
        if not countable.any():
            raise ValueError(f'no frame of {options.queries} has its place in '
                             f'{options.database}: are the traverses aligned?')
        for name, change in (('binary', binarize), ('float', F.normalize)):
            best = (change(queries) @ change(database).T).argmax(1)
            hits = truth[torch.arange(len(best)), best][countable]
            print(f'recall@1 {name}: {100 * hits.float().mean():.1f} % of {len(hits)}')
        return 0
    validation = Validation.of(config.validation, config.network.vit.input_size)
    if validation is None:
        raise ConfigError('validation.places is empty: name some, or --database and --queries')
    for name, value in validation(network).items():
        print(f'recall@1 {name}: {100 * value:.1f} %')
    return 0


@torch.no_grad()
def embed(network: PlaceNetwork, folder: Path) -> tuple[torch.Tensor, np.ndarray]:
    """
    Embed the images of a folder, in natural order (2 before 10).

    :returns: ``[n, bits]``, and the numbers of the images ``[n]``: what does not decode has one,
        too, else all later ones would be other frames.
    :raises ValueError: none decodes.
    """
    size = network.config.vit.input_size
    entries = sorted(find_images(folder), key=lambda entry: natural_order(entry.name))
    pictures = {number: resized(image, size) for number, entry in enumerate(entries)
                if (image := read_rgb(entry.path)) is not None}
    if not pictures:
        raise ValueError(f'no image below {folder} decodes')
    parts = torch.from_numpy(np.stack(list(pictures.values()))).split(16)
    return torch.cat([network(part) for part in parts]), np.array(list(pictures))
