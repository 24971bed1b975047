"""The RGB encoder: a small dense-convolution network whose two taps imitate a teacher's, laid out as patch tokens."""

from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Channels of the teacher's taps at 28 x 28 and 14 x 14 (MobileNetV2's linear bottlenecks).
TAP28_WIDTH = 32
TAP14_WIDTH = 96
TOKEN_WIDTH = TAP28_WIDTH + TAP14_WIDTH
GRID = 28


class TapNetwork(Protocol):
    """Anything that maps normalised images [N,3,224,224] to taps [N,32,28,28] and [N,96,14,14]."""

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]: ...


class ConvNorm(nn.Sequential):
    """3 x 3 convolution and batch norm; `fold` replaces the pair by one convolution for export."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def fold(self) -> None:
        fused = fuse_conv_bn_eval(cast(nn.Conv2d, self[0]), cast(nn.BatchNorm2d, self[1]))
        self[0], self[1] = fused, nn.Identity()


class Residual(nn.Module):
    """Two dense 3 x 3 convolutions around a narrower middle.

    Dense, not depthwise: on a CPU they run near peak; 3.3 M such parameters train faster than 0.55 M of MobileNetV2's.
    """

    def __init__(self, width: int, middle: int) -> None:
        super().__init__()
        self.narrow = ConvNorm(width, middle)
        self.widen = ConvNorm(middle, width)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.widen(F.relu(self.narrow(features))))


class StudentTaps(nn.Module):
    """Normalised images [N,3,224,224] -> teacher-like taps at 28 x 28 and 14 x 14, channels of about unit variance."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(3, 24, 2), nn.ReLU(), ConvNorm(24, 64, 2), nn.ReLU(), Residual(64, 32))
        self.fine = nn.Sequential(ConvNorm(64, 128, 2), nn.ReLU(), *[Residual(128, 64) for _ in range(3)])
        self.coarse = nn.Sequential(ConvNorm(128, 256, 2), nn.ReLU(), *[Residual(256, 128) for _ in range(4)])
        self.tap28 = nn.Conv2d(128, TAP28_WIDTH, 1)
        self.tap14 = nn.Conv2d(256, TAP14_WIDTH, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(self.stem(images))
        return self.tap28(fine), self.tap14(self.coarse(fine))

    def fold(self) -> None:
        """Fold every batch norm into its convolution. For evaluation mode only, and not to be undone."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()


def patch_features(tap28: Tensor, tap14: Tensor) -> Tensor:
    """Taps -> [N,128,28,28]: each tap averaged over 3 x 3 on its own grid (PatchCore 3.1), the coarse one upsampled."""
    fine = F.avg_pool2d(tap28, 3, 1, 1, count_include_pad=False)
    coarse = F.avg_pool2d(tap14, 3, 1, 1, count_include_pad=False)
    coarse = F.interpolate(coarse, size=(GRID, GRID), mode="bilinear", align_corners=False)
    return torch.cat([fine, coarse], 1)


def balance() -> Tensor:
    """[128]: gives both taps the same expected norm; without it the 96 coarse channels outvote the 32 fine ones."""
    widths = (TAP28_WIDTH, TAP14_WIDTH)
    return torch.cat([torch.full((width,), (TOKEN_WIDTH / len(widths) / width) ** 0.5) for width in widths])


class RgbEncoder(nn.Module):
    """The exported graph: image [1,3,224,224] -> tokens [1,784,128], row-major patches.

    Every channel is standardised by `mean` and `std` (each [128], measured on procedural pictures), then balanced.
    """

    mean: Tensor
    gain: Tensor

    def __init__(self, taps: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.taps = taps
        self.register_buffer("mean", mean.reshape(1, 1, -1))
        self.register_buffer("gain", (balance() / std).reshape(1, 1, -1))

    def forward(self, image: Tensor) -> Tensor:
        features = patch_features(*self.taps(image))
        tokens = features.flatten(2).transpose(1, 2)
        return (tokens - self.mean) * self.gain
