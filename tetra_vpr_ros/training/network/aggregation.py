# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Aggregations: from tokens to the embedding whose signs are the descriptor.

Each takes the normalised tokens ``[B, 1 + rows*cols, C]`` of the backbone, the
class token first, and ends in the same kind of binary head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tetra_vpr_ros.training.config_keys import Count
from tetra_vpr_ros.training.network.ternary import make_linear, Precision
import torch
from torch import nn
from torch.nn import functional as F

Kind: TypeAlias = Literal['grid', 'vlad', 'gem', 'mixvpr', 'salad', 'boq']


@dataclass(frozen=True)
class AggregationConfig:
    """
    Which aggregation, and its shape; each uses the fields that name it.

    :ivar kind: ``grid``, ``vlad``, ``gem``, ``mixvpr``, ``salad`` or ``boq``.
    :ivar bits: of the descriptor.
    :ivar precision: of the last projection.
    :ivar rows: of the grid.
    :ivar cols: of the grid; few columns forgive a lateral offset.
    :ivar softness: 0 averages disjoint cells; above, Gaussian windows of that
        standard deviation, in cells.
    :ivar mix_depth: feature mixers of MixVPR.
    :ivar mix_rows: numbers that MixVPR keeps of each channel.
    :ivar channels: channels after the reduction of MixVPR and BoQ.
    :ivar clusters: of SALAD; words of VLAD.
    :ivar cluster_dims: channels of a cluster or a word.
    :ivar token_dims: channels that SALAD keeps of the class token.
    :ivar queries: learned queries of a BoQ block.
    :ivar boq_blocks: blocks of BoQ.
    """

    kind: Kind = 'grid'
    bits: Count = 2048
    precision: Precision = 'float'
    rows: Count = 8
    cols: Count = 2
    softness: float = 0.0
    mix_depth: int = 4
    mix_rows: Count = 4
    channels: Count = 128
    clusters: Count = 16
    cluster_dims: Count = 32
    token_dims: Count = 64
    queries: int = 16
    boq_blocks: int = 2

    def __post_init__(self) -> None:
        """Check that the bits are possible."""
        if self.kind not in AGGREGATIONS:
            raise ValueError(
                f'kind must be one of {", ".join(AGGREGATIONS)}, not {self.kind!r}')
        cells = self.rows * self.cols if self.kind == 'grid' else 1
        if (self.kind == 'vlad' and self.precision == 'ternary'
                and self.clusters * self.cluster_dims % 4):
            raise ValueError(f'{self.clusters} words with {self.cluster_dims} channels are not '
                             'a multiple of 4 numbers, which share a byte of ternary weights')
        if self.bits <= 0 or self.bits % (8 * cells):
            raise ValueError(f'bits {self.bits} do not divide over {cells} cells in bytes'
                             if cells > 1 else f'bits {self.bits} are not whole bytes')


class BinaryHead(nn.Module):
    """
    Project a feature vector to the embedding whose signs are the bits.

    The features are normalised first, so that the embedding starts with unit
    variance and the sign's gradient (|x| <= 1) reaches most of it.
    """

    def __init__(self, features: int, bits: int, precision: Precision) -> None:
        """Create the projection."""
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=1e-6)
        self.project = make_linear(features, bits, precision)
        nn.init.normal_(self.project.weight, std=features**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, features]`` to ``[B, bits]``."""
        return self.project(self.norm(x))


class GridHead(nn.Module):
    """
    Average tokens over a coarse grid and project cell by cell.

    Where the picture shows what stays part of the descriptor. The projection is
    shared, the thresholds are each cell's own.
    """

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create the projection and the pooling matrix."""
        super().__init__()
        cells = config.rows * config.cols
        self.project = make_linear(width, config.bits // cells, config.precision)
        nn.init.zeros_(self.project.bias)
        self.project.bias.requires_grad_(False)  # the thresholds say it already
        self.threshold = nn.Parameter(torch.zeros(cells, config.bits // cells))
        nn.init.normal_(self.project.weight, std=width**-0.5)
        self.register_buffer(
            'pool', grid_pooling(grid, config.rows, config.cols, config.softness), False)

    def cells(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map all tokens to the cells' means ``[B, cells, C]``."""
        return self.pool @ tokens[:, 1:]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        return (self.project(self.cells(tokens)) + self.threshold).flatten(1)


def grid_pooling(grid: tuple[int, int], rows: int, cols: int, softness: float = 0.0
                 ) -> torch.Tensor:
    """
    Return the matrix ``[rows*cols, grid tokens]`` that averages tokens into cells.

    :param grid: rows and columns of tokens.
    :param rows: of cells.
    :param cols: of cells.
    :param softness: see `AggregationConfig`.
    """
    def windows(tokens: int, cells: int) -> torch.Tensor:
        if softness <= 0:
            return F.adaptive_avg_pool1d(torch.eye(tokens)[None], cells)[0].T
        centre = (torch.arange(cells) + 0.5) / cells
        place = (torch.arange(tokens) + 0.5) / tokens
        return torch.exp(-0.5 * ((place - centre[:, None]) * cells / softness) ** 2)

    matrix = torch.einsum('ai,bj->abij', windows(grid[0], rows), windows(grid[1], cols))
    matrix = matrix.reshape(rows * cols, -1)
    return (matrix / matrix.sum(1, keepdim=True)).contiguous()


class VladHead(nn.Module):
    """
    Tell for each of some visual words by how much a picture's tokens differ from it.

    What a picture shows counts, wherever in it that is (VLAD, Jegou et al., CVPR 2010, with the
    soft assignment of NetVLAD, Arandjelovic et al., arXiv 1511.07247). Tokens are taken about the
    mean of their picture: what all have in common is its light.

    :param config: ``clusters`` are the words, ``cluster_dims`` the channels that they have.
    :param width: of a token.
    :param grid: of tokens; where in the picture they lie is not told.
    """

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create words at random."""
        super().__init__()
        words, channels = config.clusters, config.cluster_dims
        self.reduce = nn.Parameter(torch.randn(channels, width) * width**-0.5)
        self.words = nn.Parameter(torch.randn(words, channels))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.project = make_linear(words * channels, config.bits, config.precision, 'learned')
        nn.init.normal_(self.project.weight, std=channels**-0.5)

    def residuals(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, words * channels]``, a unit for each."""
        x = self.reduced(tokens)
        # Nearest words by softmax of -sharpness/2 |x - w|^2, of which |x|^2 cancels.
        near = torch.softmax(F.linear(x, self.sharpness * self.words,
                                      -self.sharpness / 2 * (self.words ** 2).sum(1)), dim=2)
        apart = near.mT @ x - near.sum(1).unsqueeze(2) * self.words
        return F.normalize(apart, dim=2).flatten(1)

    def reduced(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, rows*cols, channels]``."""
        x = tokens[:, 1:] @ self.reduce.T
        return x - x.mean(1, keepdim=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        return self.project(self.residuals(tokens))


class GeM(nn.Module):
    """Generalised-mean pooling (Radenovic et al., arXiv 1711.02512)."""

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create exponent and head."""
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor(3.0))
        self.head = BinaryHead(width, config.bits, config.precision)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        x = tokens[:, 1:].clamp_min(1e-6) ** self.exponent
        return self.head(x.mean(1) ** (1 / self.exponent))


class FeatureMixer(nn.Module):
    """One residual mixer of MixVPR over the tokens of a channel."""

    def __init__(self, tokens: int) -> None:
        """Create norm and the two layers."""
        super().__init__()
        self.norm = nn.LayerNorm(tokens)
        self.fc1 = nn.Linear(tokens, tokens)
        self.fc2 = nn.Linear(tokens, tokens)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, N]`` to ``[B, C, N]``."""
        return x + self.fc2(F.relu(self.fc1(self.norm(x))))


class MixVPR(nn.Module):
    """Feature mixing (Ali-bey et al., arXiv 2303.02190)."""

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create mixers, projections and head."""
        super().__init__()
        tokens = grid[0] * grid[1]
        self.mixers = nn.ModuleList(FeatureMixer(tokens) for _ in range(config.mix_depth))
        self.channel_projection = nn.Linear(width, config.channels)
        self.row_projection = nn.Linear(tokens, config.mix_rows)
        self.head = BinaryHead(config.channels * config.mix_rows, config.bits, config.precision)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        x = tokens[:, 1:].transpose(1, 2)  # (B, C, N)
        for mixer in self.mixers:
            x = mixer(x)
        x = self.channel_projection(x.transpose(1, 2))   # (B, N, channels)
        x = self.row_projection(x.transpose(1, 2))       # (B, channels, mix_rows)
        return self.head(x.flatten(1))


class Salad(nn.Module):
    """Optimal-transport aggregation with a dustbin (Izquierdo and Civera, arXiv 2311.15937)."""

    iterations = 3

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create the scores, the features and the head."""
        super().__init__()
        self.tokens = grid[0] * grid[1]
        self.clusters = config.clusters

        def two_layers(out: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out))

        self.score = two_layers(config.clusters)
        self.features = two_layers(config.cluster_dims)
        self.token = two_layers(config.token_dims)
        self.dustbin = nn.Parameter(torch.tensor(1.0))
        size = config.clusters * config.cluster_dims + config.token_dims
        self.head = BinaryHead(size, config.bits, config.precision)

    def assignment(self, scores: torch.Tensor) -> torch.Tensor:
        """
        Assign tokens to clusters by Sinkhorn's algorithm in logarithms.

        :param scores: ``[B, clusters, N]``.
        :returns: ``[B, clusters, N]``; what goes to the dustbin is left out.
        """
        dustbin = self.dustbin.expand(len(scores), 1, self.tokens)
        log = torch.cat([scores, dustbin], dim=1)  # (B, clusters + 1, N)
        # Each cluster takes one share, the dustbin what remains.
        share = torch.ones(self.clusters + 1, device=log.device)
        share[-1] = max(self.tokens - self.clusters, 1)
        log_share = (share / share.sum()).log()[:, None]
        log_token = -torch.tensor(float(self.tokens)).log().to(log.device)
        for _ in range(self.iterations):
            log = log - log.logsumexp(2, keepdim=True) + log_share
            log = log - log.logsumexp(1, keepdim=True) + log_token
        return (log - log_token).exp()[:, :-1]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        patches = tokens[:, 1:]
        weights = self.assignment(self.score(patches).transpose(1, 2))
        clusters = F.normalize(weights @ self.features(patches), dim=2)
        token = F.normalize(self.token(tokens[:, 0]), dim=1)
        return self.head(torch.cat([clusters.flatten(1), token], dim=1))


class BoQBlock(nn.Module):
    """Encode the tokens, and ask them a bag of learned queries."""

    def __init__(self, channels: int, queries: int, heads: int = 4) -> None:
        """Create the encoder and the two attentions."""
        super().__init__()
        self.heads = heads
        self.encoder_attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.encoder_norm1 = nn.LayerNorm(channels)
        self.encoder_fc1 = nn.Linear(channels, 2 * channels)
        self.encoder_fc2 = nn.Linear(2 * channels, channels)
        self.encoder_norm2 = nn.LayerNorm(channels)
        self.queries = nn.Parameter(torch.randn(1, queries, channels))
        self.self_attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.query_norm = nn.LayerNorm(channels)
        self.cross_attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.out_norm = nn.LayerNorm(channels)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map ``[B, N, C]`` to the encoded tokens and the answers ``[B, queries, C]``."""
        x = self.encoder_norm1(x + self.encoder_attention(x, x, x, need_weights=False)[0])
        x = self.encoder_norm2(x + self.encoder_fc2(F.relu(self.encoder_fc1(x))))
        q = self.queries
        q = self.query_norm(q + self.self_attention(q, q, q, need_weights=False)[0])
        q = q.expand(len(x), -1, -1)
        answers = self.cross_attention(q, x, x, need_weights=False)[0]
        return x, self.out_norm(answers)


class BoQ(nn.Module):
    """Bag of learnable queries (Ali-bey et al., arXiv 2405.07364)."""

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create reduction, blocks and head."""
        super().__init__()
        self.reduce = nn.Linear(width, config.channels)
        self.blocks = nn.ModuleList(
            BoQBlock(config.channels, config.queries) for _ in range(config.boq_blocks))
        self.head = BinaryHead(config.boq_blocks * config.queries * config.channels,
                               config.bits, config.precision)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        x = self.reduce(tokens[:, 1:])
        answers = []
        for block in self.blocks:
            x, answer = block(x)
            answers.append(answer)
        return self.head(torch.cat(answers, dim=1).flatten(1))


AGGREGATIONS: dict[str, type[nn.Module]] = {
    'grid': GridHead, 'vlad': VladHead, 'gem': GeM, 'mixvpr': MixVPR, 'salad': Salad, 'boq': BoQ}
