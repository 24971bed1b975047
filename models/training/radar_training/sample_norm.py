"""The norm of a point tokeniser: batch norm by the sample's own statistics."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Part of the method, not a tuning knob: metric groups have variances near it (numerics 3.4).
EPSILON = 1e-5


class SampleNorm(nn.Module):
    """Batch norm by this sample's own statistics: features [N,C,L], mean and biased variance over L (numerics 3.4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        # Never in half precision: the variance of a metric group, about 1e-6, is subnormal there. The width is asked
        # first because `float()` leaves a Cast in an exported graph even where it changes nothing.
        with torch.autocast(features.device.type, enabled=False):
            wide = features if features.dtype.itemsize >= 4 else features.float()
            return F.instance_norm(wide, weight=self.weight, bias=self.bias, eps=EPSILON)
