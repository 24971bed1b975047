"""Stage 1's loss: patch-wise InfoNCE between both sides of G_hat (paper eq. 3).

As written, eq. 3 has no exponential, logarithm, temperature or sign; this is the InfoNCE that it cites. Rows are
aligned pairs: the xyz and the rgb feature of one patch of one sample (the released M3DM pairs only 1 in 390 of them
rightly, numerics 4.1). Both directions count. Only foreground patches take part: table is table everywhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fusion import FusionConfig

TEMPERATURE = 0.1
#: Patches drawn per sample; more make the logits' matrix large and say little new.
DRAWN = 48


class Alignment(nn.Module):
    """The contrastive heads g_pc and g_rgb, thrown away after training."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.width = config.width
        self.head_xyz = nn.Linear(config.width, config.contrast)
        self.head_rgb = nn.Linear(config.width, config.contrast)

    def forward(self, fused: Tensor, covered: Tensor) -> Tensor:
        """`fused` [N,784,2 width] and `covered` [N,784] bool -> a scalar; zero when no patch is covered."""
        chance = torch.rand(covered.shape, device=covered.device) * covered
        weight, drawn = chance.topk(min(DRAWN, covered.shape[1]), dim=1)
        rows = fused.gather(1, drawn.unsqueeze(2).expand(-1, -1, fused.shape[2]))[weight > 0]
        xyz = F.normalize(self.head_xyz(rows[:, : self.width]), dim=1)
        rgb = F.normalize(self.head_rgb(rows[:, self.width :]), dim=1)
        logits = xyz @ rgb.T / TEMPERATURE
        if len(logits) == 0:
            return fused.sum() * 0
        own = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
