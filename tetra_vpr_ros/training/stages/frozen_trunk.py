# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What frozen blocks say of the pictures, on disk: computed once, however often it is asked.

On a processor the leading blocks are half the cost of a step that trains the others. A few
views of each picture stand for the endless ones that are drawn without a cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import hashlib
import json
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.memory_map import memory_map
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
import torch


class FrozenTrunk:
    """
    Tokens that enter the first block that is trained, of some views of each picture.

    :param folder: of the cache; created when missing, continued when there.
    :param pictures: all of them, by name, with what tells their contents, see `contents`.
    :param views: of each.
    :param network: whose leading blocks are frozen.
    :param depth: of them.
    :param recipe: that the views are made by, as JSON: another makes another cache.
    :raises ConfigError: the folder holds what another trunk says, or of other views.
    """

    def __init__(self, folder: Path, pictures: Mapping[str, str], views: int,
                 network: PlaceNetwork, depth: int, recipe: object) -> None:
        """Open or create the two files."""
        self.network, self.depth, self.views = network, depth, views
        self.row = {name: i for i, name in enumerate(pictures)}
        vit = network.config.vit
        key = json.loads(json.dumps({
            'names': list(pictures), 'views': views, 'depth': depth, 'recipe': recipe,
            'weights': _fingerprint(network, depth), 'contents': list(pictures.values())}))
        folder.mkdir(parents=True, exist_ok=True)
        described = folder / 'trunk.json'
        if _known(described, key) != key:
            raise ConfigError(f'finetune.cache: {folder} holds what another trunk says, or of '
                              'other pictures: remove it or name another')
        described.write_text(json.dumps(key))  # first: arrays that nobody describes are refused
        shape = len(pictures), views, vit.tokens + 1, vit.width
        self._tokens = memory_map(folder / 'tokens.npy', np.float16, shape)
        self._filled = memory_map(folder / 'filled.npy', np.uint8, shape[:2])

    def has(self, name: str, view: int) -> bool:
        """Tell whether a view of a picture was computed already."""
        return bool(self._filled[self.row[name], view])

    def __call__(self, names: Sequence[str], views: Sequence[int],
                 images: Sequence[np.ndarray | None], bf16: bool) -> torch.Tensor:
        """
        Return tokens ``[B, 1 + rows*cols, C]``, computing what is not there.

        :param names: of the pictures ``[B]``.
        :param views: of each ``[B]``.
        :param images: uint8 ``[H, W, 3]``, or None of those that `has` said are there.
        :param bf16: compute in bfloat16.
        """
        rows = [self.row[name] for name in names]
        missing = [i for i, image in enumerate(images)
                   if image is not None and not self._filled[rows[i], views[i]]]
        if missing:
            where = next(self.network.parameters()).device
            pictures = torch.from_numpy(np.stack([images[i] for i in missing])).to(where)
            with torch.no_grad(), torch.autocast(where.type, torch.bfloat16, enabled=bf16):
                tokens = self.network.backbone.below(self.network.normalise(pictures), self.depth)
            for i, values in zip(missing, tokens.float().cpu().numpy()):
                self._tokens[rows[i], views[i]] = values
                self._filled[rows[i], views[i]] = 1
        # What was just computed is read back, too: a resumed run sees the same numbers.
        return torch.from_numpy(np.stack(
            [self._tokens[row, view] for row, view in zip(rows, views)])).float()


def _known(described: Path, wanted: dict[str, object]) -> object:
    """Return of what a cache is; of nothing yet, and of what older ones do not say, as wanted."""
    if not described.exists() and not (described.parent / 'tokens.npy').exists():
        return wanted
    try:
        return {'contents': wanted['contents'], **json.loads(described.read_text())}
    except (OSError, ValueError, TypeError):
        return None  # damaged: nobody knows


def _fingerprint(network: PlaceNetwork, depth: int) -> str:
    digest = hashlib.sha256()
    trunk = network.backbone
    for module in (trunk.patch_embed, *trunk.blocks[:depth]):
        for value in module.state_dict().values():
            digest.update(value.detach().cpu().numpy().tobytes())
    for value in (trunk.cls_token, trunk.pos_embed):
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
