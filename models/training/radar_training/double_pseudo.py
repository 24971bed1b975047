"""Stage 2, the double-pseudo hybrid module (paper 4.3, eq. 6-9): two pseudo-supervisions of G_hat, for training only.

Branch 1 reconstructs the picture and the part's points from G_hat. Branch 2 compares local features with an online bank
and sharpens the difference between what the bank knows and what it does not.

Readings (numerics 4.2, 7.2):

- A modality that is missing has no reconstruction term: its target would be the pseudo-input.
- The online bank holds one queue per condition, first in first out, random at first. R_fused of a product is taught on
  the device; this one only serves training.
- sigma is measured, not 0.35 for all: per condition the 95th percentile of the pseudo anomaly scores of 30 % of the
  data, and from then on it follows the features that it helps to change: left behind, it would soon call most of the
  good patches anomalous and push them away from the bank.
- a lies in [0,2]; it is clamped to [0,1] for the cross-entropy, whose target is thresholded from the same a.
- The upsampling network belongs to branch 2, whose response map is the only coarse one.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fusion import CONDITIONS, FusionConfig
from .token_grid import GRID

#: Eq. 6.
LAMBDA_RGB, LAMBDA_XYZ = 1.0, 0.5
#: Eq. 7's K, and the rows that the online bank keeps per condition; the paper gives neither.
NEAREST, BANK_ROWS = 3, 2048
#: Side of a local region in patches: M = 14 x 14 features per sample.
REGION = 2
REGIONS = GRID // REGION
SIGMA_QUANTILE, SIGMA_SHARE = 0.95, 0.3
#: Weight of the latest batch in sigma.
SIGMA_PACE = 0.1


class Targets(NamedTuple):
    """What branch 1 should reconstruct."""

    picture: Tensor
    """[N,3,224,224], 0..1."""
    points: Tensor
    """[N,784,3]: mean point of each patch relative to the part's mean, in units of POSITION_SCALE_METRES."""
    covered: Tensor
    """[N,784] bool: patches with points; they are also the foreground of branch 2."""


class PictureDecoder(nn.Sequential):
    """The 2D decoder: G_hat's grid [N,2 width,28,28] -> picture [N,3,224,224], three transposed convolutions."""

    def __init__(self, config: FusionConfig) -> None:
        first, second = config.decoder
        super().__init__(
            nn.ConvTranspose2d(config.fused_width, first, 4, 2, 1),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.ConvTranspose2d(first, second, 4, 2, 1),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.ConvTranspose2d(second, 3, 4, 2, 1),
        )


class PointDecoder(nn.Sequential):
    """The 3D decoder: G_hat [N,784,2 width] -> one point per patch [N,784,3]."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(
            nn.Linear(config.fused_width, config.points_hidden), nn.GELU(), nn.Linear(config.points_hidden, 3)
        )


class Upsampler(nn.Module):
    """Response map [N,1,14,14] -> logits of a map `upsampling` times finer."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.upsampler
        self.upsampling = config.upsampling
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, 1, 3, 1, 1),
        )

    def forward(self, response: Tensor) -> Tensor:
        finer = F.interpolate(response, scale_factor=self.upsampling, mode="bilinear", align_corners=False)
        return self.layers(finer)


class OnlineBank(nn.Module):
    """R_fs while training: unit rows [3,rows,2 width], one queue per condition."""

    rows: Tensor
    sigma: Tensor
    next_row: Tensor

    def __init__(self, width: int, rows: int = BANK_ROWS) -> None:
        super().__init__()
        self.register_buffer("rows", F.normalize(torch.randn(len(CONDITIONS), rows, width), dim=2))
        self.register_buffer("next_row", torch.zeros(len(CONDITIONS), dtype=torch.int64))
        self.register_buffer("sigma", torch.full((len(CONDITIONS),), 0.35))

    def scores(self, local: Tensor, condition: Tensor) -> Tensor:
        """Eq. 7, 8: local features [N,M,2 width] -> pseudo anomaly scores a [N,M] in [0,2]."""
        similarity = F.normalize(local, dim=2) @ self.rows[condition].transpose(1, 2)
        return 1 - similarity.topk(NEAREST, dim=2).values.mean(2)

    @torch.no_grad()
    def follow(self, scores: Tensor, inside: Tensor, condition: Tensor) -> None:
        """Move sigma towards this batch's 95th percentile per condition: scores and inside [N,M]."""
        for index in range(len(CONDITIONS)):
            some = scores[condition == index][inside[condition == index]]
            if len(some) > 0:
                self.sigma[index].lerp_(some.float().quantile(SIGMA_QUANTILE), SIGMA_PACE)

    @torch.no_grad()
    def store(self, local: Tensor, kept: Tensor, condition: Tensor) -> None:
        """Replace the oldest rows of each condition by the kept features: local [N,M,2 width], kept [N,M] bool."""
        for index in range(len(CONDITIONS)):
            fresh = F.normalize(local[condition == index][kept[condition == index]], dim=1)
            capacity = self.rows.shape[1]
            fresh = fresh[:capacity]
            at = (int(self.next_row[index]) + torch.arange(len(fresh))) % capacity
            self.rows[index, at] = fresh.to(self.rows.dtype)
            self.next_row[index] = (self.next_row[index] + len(fresh)) % capacity


def local_features(fused: Tensor) -> Tensor:
    """G_hat [N,784,C] -> its regions' means [N,M,C] (the paper's PatchPooling)."""
    batch, _, width = fused.shape
    grid = fused.reshape(batch, REGIONS, REGION, REGIONS, REGION, width)
    return grid.mean((2, 4)).reshape(batch, REGIONS * REGIONS, width)


def local_foreground(covered: Tensor) -> Tensor:
    """[N,784] bool -> [N,M] bool: regions of which any patch has points."""
    return covered.reshape(len(covered), REGIONS, REGION, REGIONS, REGION).any(4).any(2).flatten(1)


class DoublePseudo(nn.Module):
    """Both branches over one G_hat."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.picture = PictureDecoder(config)
        self.points = PointDecoder(config)
        self.upsampler = Upsampler(config)
        self.bank = OnlineBank(config.fused_width)

    def reconstruction(self, fused: Tensor, condition: Tensor, targets: Targets) -> Tensor:
        """Eq. 6, each term over the samples that have its modality."""
        grid = fused.transpose(1, 2).reshape(len(fused), -1, GRID, GRID)
        picture_error = (self.picture(grid) - targets.picture).square().mean((1, 2, 3))
        has_rgb = (condition != CONDITIONS.index("xyz-only")).float()
        squares = (self.points(fused) - targets.points).square().mean(2)
        count = targets.covered.sum(1).clamp_min(1)
        point_error = (squares * targets.covered).sum(1) / count
        has_xyz = (condition != CONDITIONS.index("rgb-only")).float()
        rgb = (picture_error * has_rgb).sum() / has_rgb.sum().clamp_min(1)
        xyz = (point_error * has_xyz).sum() / has_xyz.sum().clamp_min(1)
        return LAMBDA_RGB * rgb + LAMBDA_XYZ * xyz

    def contrast(self, fused: Tensor, condition: Tensor, covered: Tensor) -> Tensor:
        """Eq. 7-9 over the foreground; afterwards the features enter the bank."""
        local, inside = local_features(fused), local_foreground(covered)
        scores = self.bank.scores(local, condition)
        labels = (scores > self.bank.sigma[condition][:, None]).float()
        coarse = F.binary_cross_entropy(scores.clamp(1e-4, 1 - 1e-4), labels, reduction="none")
        response = scores.reshape(-1, 1, REGIONS, REGIONS)
        logits = self.upsampler(response)
        size = logits.shape[2:]
        finer = F.interpolate(labels.reshape(response.shape), size=size)
        where = F.interpolate(inside.float().reshape(response.shape), size=size)
        fine = F.binary_cross_entropy_with_logits(logits, finer, reduction="none")
        self.bank.follow(scores.detach(), inside, condition)
        self.bank.store(local.detach(), inside, condition)
        return (coarse * inside).sum() / inside.sum().clamp_min(1) + (fine * where).sum() / where.sum().clamp_min(1)
