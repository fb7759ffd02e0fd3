# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Train a ternary place encoder: ``train distill|finetune|interpolate|words|tokens|export|evaluate``.

``segment``, ``audit`` and ``ablate`` are about structural knowledge.

Every stage resumes where it was interrupted; ``torchrun -m
tetra_vpr_ros.training.train …`` runs it on several processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

from tetra_vpr_ros.command_line import run_command, whole

MISSING = ('training needs further packages ({name} is missing): '
           'pip install "tetra_vpr_ros[training]"')


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='train', description=__doc__)
    verbs = parser.add_subparsers(dest='verb', required=True)
    for verb, text in (('distill', 'stage 1: distillation from a teacher, no labels'),
                       ('finetune', 'stage 2: binary fine-tuning with place labels'),
                       ('interpolate', 'weights between a trained network and its start'),
                       ('words', 'fit the descriptor of visual words'),
                       ('tokens', 'fit the head of the patch tokens, for the second look'),
                       ('export', 'write the trained network as a model file'),
                       ('evaluate', 'recall of a network on held-out places or folders'),
                       ('audit', 'who is right: the RGB branch, the structural one, both?'),
                       ('ablate', 'stage 2 with, without, and with fake structure')):
        entry = verbs.add_parser(verb, help=text)
        entry.add_argument('--config', type=Path, required=verb != 'export', metavar='FILE.yaml')
        if verb in ('interpolate', 'words', 'tokens', 'export', 'evaluate', 'audit'):
            entry.add_argument('--checkpoint', type=Path, metavar='FILE',
                               help='instead of the best one of the run; .pt or .onnx')
        if verb in ('interpolate', 'words', 'tokens'):
            entry.add_argument('--out', type=Path, metavar='FILE.pt',
                               help=f'instead of {verb}.pt in the folder of the run')
        if verb == 'export':
            entry.add_argument('--out', type=Path, metavar='FILE.onnx',
                               help='instead of export.out')
            entry.add_argument('--format', choices=('packed-uint8', 'int2', 'matmulnbits',
                                                    'float32'),
                               help='of the weights, instead of export.weight_format')
            entry.add_argument('--untrained', action='store_true',
                               help='random weights: to time a design before it is trained')
        if verb == 'evaluate':
            entry.add_argument('--database', type=Path, metavar='DIR',
                               help='aligned traverse to search in')
            entry.add_argument('--queries', type=Path, metavar='DIR',
                               help='aligned traverse to search for')
            entry.add_argument('--tolerance', type=whole(), default=2, metavar='FRAMES',
                               help='frame i is frame j when they are at most this far apart')
        if verb == 'ablate':
            entry.add_argument('--seeds', type=whole(1), default=3,
                               help='of each arm (default: 3)')
    entry = verbs.add_parser('segment', help='label maps of a folder from an ONNX model')
    entry.add_argument('--model', type=Path, required=True, metavar='FILE.onnx')
    entry.add_argument('--images', type=Path, required=True, metavar='DIR')
    entry.add_argument('--out', type=Path, required=True, metavar='DIR')
    entry.set_defaults(config=None)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit status."""
    options = parse(arguments)
    try:
        from tetra_vpr_ros.training import verbs
        from tetra_vpr_ros.training.config import load_config, TrainConfig
        from tetra_vpr_ros.training.config_keys import ConfigError
    except ImportError as error:
        print(MISSING.format(name=error.name), file=sys.stderr)
        return 1

    def work() -> int:
        config = load_config(options.config) if options.config else TrainConfig()
        return getattr(verbs, options.verb)(config, options)

    return run_command(work, (ConfigError, *verbs.ERRORS), 'error',
                       'interrupted: the same command continues')


if __name__ == '__main__':
    sys.exit(main())
