"""DINO ViT-B/8, the RGB backbone of the paper-sized bundle (numerics 2).

Its tensors are named as in DINO's dino_vitbase8_pretrain.pth.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .transformer import Block

EPSILON = 1e-6


@dataclass(frozen=True)
class VitShape:
    """The defaults are ViT-B/8 at the one size that it is used at, so positions are never interpolated."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch_pixels: int = 8
    image_pixels: int = 224

    @property
    def patches(self) -> int:
        return (self.image_pixels // self.patch_pixels) ** 2


class PatchEmbedding(nn.Module):
    """One linear map of each patch: image [N,3,H,W] -> [N,patches,width], row-major."""

    def __init__(self, width: int, patch_pixels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_pixels, stride=patch_pixels)

    def forward(self, image: Tensor) -> Tensor:
        maps = self.proj(image)
        # Plain numbers (also below): an exported graph then holds no arithmetic on shapes.
        return maps.reshape(len(maps), maps.shape[1], -1).transpose(1, 2)


class Vit(nn.Module):
    """Normalised image [N,3,224,224] -> tokens [N,784,768]: the last block after the final layer norm, CLS dropped."""

    def __init__(self, shape: VitShape | None = None) -> None:
        super().__init__()
        shape = shape or VitShape()
        self.patch_embed = PatchEmbedding(shape.width, shape.patch_pixels)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + shape.patches, shape.width))
        self.blocks = nn.ModuleList(
            Block(shape.width, shape.heads, 4 * shape.width, qkv_bias=True, epsilon=EPSILON) for _ in range(shape.depth)
        )
        self.norm = nn.LayerNorm(shape.width, eps=EPSILON)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patch_embed(image)
        first = torch.cat([self.cls_token] * len(patches))
        tokens = torch.cat([first, patches], 1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 1:])
