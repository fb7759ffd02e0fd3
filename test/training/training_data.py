# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small networks and configurations that the training tests share."""

from tetra_vpr_ros.training.teachers.cache import CacheSpec
import torch
import yaml

PAPER = {'class_token': 1.0, 'patch': 0.3, 'attention': 0.05, 'descriptor': 0}
"""Weights of the paper's losses."""
SPEC = CacheSpec(size=64, views=2, dims=32)


def timm_state(depth=2, width=48, gamma=0.5):
    state = {'patch_embed.proj.weight': torch.randn(width, 3, 14, 14),
             'patch_embed.proj.bias': torch.randn(width),
             'cls_token': torch.randn(1, 1, width), 'pos_embed': torch.randn(1, 26, width)}
    for i in range(depth):
        for name, rows, cols in (('attn.qkv', 3 * width, width), ('attn.proj', width, width),
                                 ('mlp.fc1', 4 * width, width), ('mlp.fc2', width, 4 * width)):
            state[f'blocks.{i}.{name}.weight'] = torch.randn(rows, cols) * 0.05
            state[f'blocks.{i}.{name}.bias'] = torch.randn(rows)
        for name in ('norm1', 'norm2'):
            state[f'blocks.{i}.{name}.weight'] = torch.ones(width)
            state[f'blocks.{i}.{name}.bias'] = torch.zeros(width)
        for name in ('ls1', 'ls2'):
            state[f'blocks.{i}.{name}.gamma'] = torch.full((width,), gamma)
    return state


def write_config(path, base, **changes):
    """Write a configuration with some keys changed: ``distill__optimizer__steps=3``."""
    data = yaml.safe_load(yaml.safe_dump(base))
    for key, value in changes.items():
        entry = data
        *parents, last = key.split('__')
        for part in parents:
            entry = entry.setdefault(part, {})
        entry[last] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data))
    return path
