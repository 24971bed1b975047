"""Makes the frozen multimodal transformer of `lite`: masked tokens of both modalities are predicted from the rest.

`base` needs none of this, it takes blocks of DINO. Half of the coarse tokens are hidden, and in some samples all of one
modality, as it will be on a line; what is hidden is predicted from what is seen. No labels, no instructions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fusion import CONDITIONS, InstructionFusion
from .token_grid import GRID

HIDDEN_SHARE = 0.5


class MaskedContext(nn.Module):
    """The fusion's transformer with throw-away heads."""

    def __init__(self, fusion: InstructionFusion) -> None:
        super().__init__()
        config = fusion.config
        self.fusion = fusion
        self.draw_rgb = nn.Linear(config.width, config.rgb_width)
        self.draw_xyz = nn.Linear(config.width, config.xyz_width)

    def coarse(self, grid: Tensor) -> Tensor:
        """[N,784,C] -> [N,T,C]."""
        image = grid.transpose(1, 2).reshape(len(grid), -1, GRID, GRID)
        return F.avg_pool2d(image, self.fusion.config.stride).flatten(2).transpose(1, 2)

    def forward(self, rgb: Tensor, xyz: Tensor, condition: Tensor) -> Tensor:
        """Mean squared error over hidden tokens of present modalities, in standardised units."""
        fusion = self.fusion
        wanted_rgb, wanted_xyz = self.coarse(rgb), self.coarse(xyz)
        seen_xyz = fusion.project_xyz(wanted_xyz) + fusion.modality[0]
        seen_rgb = wanted_rgb + fusion.modality[1]
        count = wanted_rgb.shape[1]
        hidden = torch.rand(len(rgb), 2 * count, device=rgb.device) < HIDDEN_SHARE
        missing_xyz = (condition == CONDITIONS.index("rgb-only"))[:, None].expand(-1, count)
        missing_rgb = (condition == CONDITIONS.index("xyz-only"))[:, None].expand(-1, count)
        missing = torch.cat([missing_xyz, missing_rgb], 1)
        tokens = torch.cat([seen_xyz, seen_rgb], 1) * ~(hidden | missing).unsqueeze(2)
        answer = fusion.transformer(tokens, None)
        counted = (hidden & ~missing).float()
        xyz_error = (self.draw_xyz(answer[:, :count]) - wanted_xyz).square().mean(2) * counted[:, :count]
        rgb_error = (self.draw_rgb(answer[:, count:]) - wanted_rgb).square().mean(2) * counted[:, count:]
        return (xyz_error.sum() + rgb_error.sum()) / counted.sum().clamp_min(1)
