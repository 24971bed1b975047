"""The pre-norm transformer block of DINO and Point-MAE, with the tensor names of both projects' checkpoints.

Both drop whole branches at random while they train. Here nothing is random: a frozen encoder gives one answer
(numerics 0.1).
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Self-attention of all tokens of a sample: tokens [N,L,width] -> [N,L,width]."""

    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        if width % heads != 0:
            raise ValueError(f"attention: width {width} cannot be split into {heads} equal heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        samples, count, width = tokens.shape
        head_width = width // self.heads
        qkv = self.qkv(tokens).reshape(samples, count, 3, self.heads, head_width)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # The scale is the default one, given as a number so that an exported graph does not work it out from a shape.
        attended = F.scaled_dot_product_attention(query, key, value, scale=head_width**-0.5)
        return self.proj(attended.transpose(1, 2).reshape(samples, count, width))


class Mlp(nn.Module):
    """Two linear maps with the exact (erf) GELU between: [...,width] -> [...,width]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """One pre-norm block: tokens [N,L,width] -> [N,L,width].

    `epsilon` is the layer norms': 1e-6 for DINO, 1e-5 for Point-MAE (numerics 2, 3.2).
    """

    def __init__(self, width: int, heads: int, hidden: int, qkv_bias: bool, epsilon: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.attn = Attention(width, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)
        self.mlp = Mlp(width, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))
