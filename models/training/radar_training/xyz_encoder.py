"""The XYZ encoder: a small Point-MAE (mini-PointNet tokeniser, transformer) over neighbour groups in metres."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sample_norm import EPSILON, SampleNorm
from .transformer import Block

CENTRES = 512
NEIGHBOURS = 48
WIDTH = 96
DEPTH = 4
HEADS = 4
#: 0-based blocks whose outputs form the token.
TAPS = (1, 3)
TOKEN_WIDTH = WIDTH * len(TAPS)
#: Metres -> about one: the radius of a group, and the half-width of a part. Fixed, so that size still counts.
GROUP_SCALE_METRES = 0.003
POSITION_SCALE_METRES = 0.05


class Tokeniser(nn.Module):
    """Mini-PointNet: groups [N,G,K,3] -> tokens [N,G,width] by two shared maps and a maximum over each group."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.lift = nn.Conv1d(3, 32, 1, bias=False)
        self.lift_norm = SampleNorm(32)
        self.local = nn.Conv1d(32, 48, 1)
        # One linear map of [group maximum | point], split in two so that the maximum's half runs once per group.
        self.mix_group = nn.Conv1d(48, 96, 1, bias=False)
        self.mix_point = nn.Conv1d(48, 96, 1, bias=False)
        self.mix_norm = SampleNorm(96)
        self.out = nn.Conv1d(96, width, 1)

    def forward(self, groups: Tensor) -> Tensor:
        batch, centres, neighbours, _ = groups.shape
        points = groups.reshape(batch, centres * neighbours, 3).transpose(1, 2)
        local = self.local(F.relu(self.lift_norm(self.lift(points))))
        summary = local.reshape(batch, -1, centres, neighbours).amax(3)
        mixed = self.mix_point(local).reshape(batch, -1, centres, neighbours) + self.mix_group(summary).unsqueeze(3)
        mixed = F.relu(self.mix_norm(mixed.reshape(batch, -1, centres * neighbours)))
        return self.out(mixed).reshape(batch, -1, centres, neighbours).amax(3).transpose(1, 2)


def encoder_block() -> Block:
    """qkv without bias, as Point-MAE's."""
    return Block(WIDTH, HEADS, 4 * WIDTH, qkv_bias=False, epsilon=EPSILON)


class XyzBackbone(nn.Module):
    """groups [N,G,K,3] and centres [N,G,3] in metres -> tokens [N,G,192].

    Positions are taken relative to the mean centre, so that a token does not depend on where the part lies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokeniser = Tokeniser()
        self.position = nn.Sequential(nn.Linear(3, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.blocks = nn.ModuleList(encoder_block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def embed(self, groups: Tensor) -> Tensor:
        return self.tokeniser(groups / GROUP_SCALE_METRES)

    def place(self, centres: Tensor) -> Tensor:
        return self.position((centres - centres.mean(1, keepdim=True)) / POSITION_SCALE_METRES)

    def attend(self, tokens: Tensor, position: Tensor) -> Tensor:
        taps = []
        for index, block in enumerate(self.blocks):
            tokens = block(tokens + position)
            if index in TAPS:
                taps.append(self.norm(tokens))
        return torch.cat(taps, 2)

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        return self.attend(self.embed(groups), self.place(centres))


class XyzEncoder(nn.Module):
    """The exported graph: groups [G,K,3], centres [G,3] -> tokens [G,192], standardised on procedural clouds."""

    mean: Tensor
    gain: Tensor

    def __init__(self, backbone: XyzBackbone, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", mean.reshape(1, -1))
        self.register_buffer("gain", 1 / std.reshape(1, -1))

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        tokens = self.backbone(groups.unsqueeze(0), centres.unsqueeze(0)).squeeze(0)
        return (tokens - self.mean) * self.gain
