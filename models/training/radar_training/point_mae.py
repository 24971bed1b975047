"""The Point-MAE encoder as M3DM uses it (numerics 3.1, 3.2), with the tensor names of Point-MAE's pretrain.pth.

Two things differ from its training: the tokeniser's norms use this sample's own statistics (the published numbers come
from there, numerics 0.1), and no branch is dropped at random.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sample_norm import EPSILON, SampleNorm
from .transformer import Block


@dataclass(frozen=True)
class PointMaeShape:
    """The defaults are the pre-trained encoder; `taps` are the 0-based blocks whose outputs form the token."""

    width: int = 384
    depth: int = 12
    heads: int = 6
    taps: tuple[int, ...] = (3, 7, 11)
    centres: int = 1024
    neighbours: int = 128


class PointMap(nn.Conv1d):
    """A linear map of each point before a sample norm: points [N,3,L] -> [N,channels,L].

    Its bias is part of the checkpoint and is not added: the norm takes this sample's mean off again and the bias with
    it. Adding it first would cost a digit, because a bias can be a hundred times what a metric group makes of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(3, channels, 1)

    def forward(self, points: Tensor) -> Tensor:
        return F.conv1d(points, self.weight)


class GroupMap(nn.Conv1d):
    """The linear map of [the group's maximum | the point], before a norm: local [N,C,G,K] -> [N,channels,G*K].

    The weight is split in two, so that the maximum's half runs once per group and not once per point. The bias is not
    added, for PointMap's reason.
    """

    def __init__(self, local_channels: int, channels: int) -> None:
        super().__init__(2 * local_channels, channels, 1)

    def forward(self, local: Tensor) -> Tensor:
        samples, split, centres, neighbours = local.shape
        group = F.conv1d(local.amax(3), self.weight[:, :split])
        point = F.conv1d(local.reshape(samples, split, centres * neighbours), self.weight[:, split:])
        mixed = point.reshape(samples, -1, centres, neighbours) + group.unsqueeze(3)
        return mixed.reshape(samples, -1, centres * neighbours)


class Tokeniser(nn.Module):
    """Mini-PointNet: groups [N,G,K,3], metres from their centre -> tokens [N,G,width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(PointMap(128), SampleNorm(128), nn.ReLU(), nn.Conv1d(128, 256, 1))
        self.second_conv = nn.Sequential(GroupMap(256, 512), SampleNorm(512), nn.ReLU(), nn.Conv1d(512, width, 1))

    def forward(self, groups: Tensor) -> Tensor:
        samples, centres, neighbours, _ = groups.shape
        points = groups.reshape(samples, centres * neighbours, 3).transpose(1, 2)
        local = self.first_conv(points).reshape(samples, -1, centres, neighbours)
        return self.second_conv(local).reshape(samples, -1, centres, neighbours).amax(3).transpose(1, 2)


class Blocks(nn.Module):
    """The transformer: tokens and positions [N,G,width] -> the outputs of the tapped blocks."""

    def __init__(self, shape: PointMaeShape) -> None:
        super().__init__()
        self.taps = shape.taps
        self.blocks = nn.ModuleList(
            Block(shape.width, shape.heads, 4 * shape.width, qkv_bias=False, epsilon=EPSILON)
            for _ in range(shape.depth)
        )

    def forward(self, tokens: Tensor, positions: Tensor) -> list[Tensor]:
        tapped = []
        for index, block in enumerate(self.blocks):
            # Added again before every block, not once.
            tokens = block(tokens + positions)
            if index in self.taps:
                tapped.append(tokens)
        return tapped


class PointMae(nn.Module):
    """groups [N,G,K,3] (metres from their centre) and centres [N,G,3] (metres, camera frame) -> tokens [N,G,1152]."""

    def __init__(self, shape: PointMaeShape | None = None) -> None:
        super().__init__()
        shape = shape or PointMaeShape()
        self.encoder = Tokeniser(shape.width)
        self.pos_embed = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, shape.width))
        self.blocks = Blocks(shape)
        self.norm = nn.LayerNorm(shape.width, eps=EPSILON)

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        tapped = self.blocks(self.encoder(groups), self.pos_embed(centres))
        return torch.cat([self.norm(tokens) for tokens in tapped], 2)


class PointMaeGraph(nn.Module):
    """The exported graph's face: one sample without its axis, groups [G,K,3] and centres [G,3] -> tokens [G,1152]."""

    def __init__(self, encoder: PointMae) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        return self.encoder(groups.unsqueeze(0), centres.unsqueeze(0)).squeeze(0)
