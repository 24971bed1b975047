"""Stage 1, adaptive instruction fusion (paper 4.2, eq. 1, 2, 4, 5): tokens of both modalities -> G_hat.

What the paper leaves open, and how it is read here:

- The frozen "multimodal Transformer" has no size or weights of its own in the paper. `base` takes the last four blocks
  of DINO ViT-B/8; `lite` takes four small blocks that context.py trains without labels and then freezes.
- An instruction is `length` vectors prepended at each of the first `instructed` layers, and they stay in the sequence
  (as the missing-aware prompts do that the paper follows), so it grows to 64 extra tokens that are cut off at the end.
- Eq. 5 has no non-linearity between its two layers; neither has the hypernetwork. It generates, per linear layer of
  MLP_rgb and MLP_pc, a rank-one update y = W x + b + u (v . x): whole matrices would not fit in the paper's 6,842K
  trained parameters (numerics 4.3).
- Instructions are named by what is present (numerics 7.2.3), in the order of CONDITIONS.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .token_grid import GRID
from .transformer import Block

CONDITIONS = ("complete", "rgb-only", "xyz-only")
PATCHES = GRID * GRID


@dataclass(frozen=True)
class FusionConfig:
    """Sizes of the fusion and of its training heads. `rgb_width` is also the width of the transformer."""

    name: str
    rgb_width: int
    xyz_width: int
    heads: int
    #: Hidden width of the frozen blocks.
    hidden: int
    #: The transformer sees the grid averaged over stride x stride patches; its change is spread back over them.
    stride: int
    #: Width of the hypernetwork's codes.
    code: int
    #: Width of the contrastive heads.
    contrast: int
    #: Side of the picture that branch 1 reconstructs, per patch side: 2 ** 3 by three transposed convolutions.
    depth: int = 4
    length: int = 16
    instructed: int = 4
    decoder: tuple[int, int] = (64, 32)
    points_hidden: int = 384
    upsampler: int = 64
    #: How much finer than the response map the upsampler's is.
    upsampling: int = 8
    epsilon: float = 1e-6

    @property
    def width(self) -> int:
        return self.rgb_width

    @property
    def fused_width(self) -> int:
        return 2 * self.rgb_width

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


LITE = FusionConfig(
    "lite",
    rgb_width=128,
    xyz_width=192,
    heads=4,
    hidden=256,
    stride=4,
    code=32,
    contrast=128,
    points_hidden=128,
    upsampler=16,
    upsampling=2,
)
BASE = FusionConfig("base", rgb_width=768, xyz_width=1152, heads=12, hidden=3072, stride=1, code=64, contrast=256)
CONFIGS = {config.name: config for config in (LITE, BASE)}


@dataclass(frozen=True)
class Parts:
    """Which of RADAR's parts take part: the columns of the paper's ablation (Tables 5 and 16)."""

    instructions: bool = True
    """MII."""
    adaptive: bool = True
    """ALM."""
    double_pseudo: bool = True
    """DPHM: whether stage 2 is trained; it changes no structure of the fusion."""

    @classmethod
    def parse(cls, text: str) -> "Parts":
        """`mii,alm,dphm` in any choice; `none` for the baseline."""
        names = set() if text == "none" else set(text.split(","))
        unknown = names - {"mii", "alm", "dphm"}
        if unknown:
            raise ValueError(f"parts: {', '.join(sorted(unknown))} unknown, expected some of mii,alm,dphm or none")
        return cls("mii" in names, "alm" in names, "dphm" in names)

    def __str__(self) -> str:
        flags = {"mii": self.instructions, "alm": self.adaptive, "dphm": self.double_pseudo}
        return ",".join(name for name, on in flags.items() if on) or "none"


def positions(width: int, side: int) -> Tensor:
    """Fixed sine-cosine positions of a square grid [side*side, width]; they cost no parameter."""
    quarter = width // 4
    rates = 100.0 ** (-torch.arange(quarter) / quarter)
    angles = torch.arange(side)[:, None] * rates
    axis = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = axis[:, None].expand(-1, side, -1), axis[None].expand(side, -1, -1)
    return torch.cat([rows, columns], 2).reshape(side * side, width).contiguous()


class ContextTransformer(nn.Module):
    """The frozen multimodal transformer: coarse tokens of xyz, then of rgb [N,2T,width], back in the same order."""

    place: Tensor

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.hidden, qkv_bias=True, epsilon=config.epsilon)
            for _ in range(config.depth)
        )
        self.register_buffer("place", positions(config.width, GRID // config.stride).repeat(2, 1), persistent=False)

    def forward(self, tokens: Tensor, instructions: Tensor | None) -> Tensor:
        """`instructions` [N,layers,length,width] of each sample's condition, or none."""
        kept = tokens.shape[1]
        tokens = tokens + self.place
        for layer, block in enumerate(self.blocks):
            if instructions is not None and layer < instructions.shape[1]:
                tokens = torch.cat([instructions[:, layer], tokens], 1)
            tokens = block(tokens)
        # A fixed number is cut off: `[:, -kept:]` would be worked out at run time in an exported graph.
        return tokens[:, tokens.shape[1] - kept :]


class HyperNetwork(nn.Module):
    """Eq. 5 for one dynamic layer: pooled features [N,2 width] -> the update's u and v [N,width] each."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.encoder = nn.Linear(config.fused_width, config.code)
        self.first = nn.Linear(config.code, config.code)
        self.second = nn.Linear(config.code, config.fused_width)
        # u starts at zero, so that training starts from the plain MLP.
        with torch.no_grad():
            self.second.weight[: config.width].zero_()
            self.second.bias[: config.width].zero_()

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        generated = self.second(self.first(self.encoder(pooled)))
        u, v = generated.chunk(2, 1)
        return u, F.normalize(v, dim=1)


class DynamicMlp(nn.Module):
    """MLP_rgb or MLP_pc: norm, two linear layers, each with its own hypernetwork or none; added to its input."""

    def __init__(self, config: FusionConfig, adaptive: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.layers = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(2))
        self.hyper = nn.ModuleList(HyperNetwork(config) for _ in range(2 if adaptive else 0))

    def forward(self, tokens: Tensor, pooled: Tensor) -> Tensor:
        values = self.norm(tokens)
        for index, layer in enumerate(self.layers):
            answer = layer(values)
            if len(self.hyper) > 0:
                u, v = self.hyper[index](pooled)
                answer = answer + (values @ v.unsqueeze(2)) * u.unsqueeze(1)
            values = F.gelu(answer) if index == 0 else answer
        return tokens + values


class InstructionFusion(nn.Module):
    """Token grids of both modalities and the condition of each sample -> G_hat [N,784,2 width].

    The first half of G_hat is the xyz side, the second the rgb side. A missing modality comes as the pseudo-feature.
    """

    def __init__(self, config: FusionConfig, parts: Parts = Parts()) -> None:
        super().__init__()
        self.config, self.parts = config, parts
        self.transformer = ContextTransformer(config).requires_grad_(False)
        self.project_xyz = nn.Linear(config.xyz_width, config.width)
        self.modality = nn.Parameter(torch.randn(2, config.width) * 0.02)
        shape = (len(CONDITIONS), config.instructed, config.length, config.width)
        self.instructions = nn.Parameter(torch.randn(shape) * 0.02) if parts.instructions else None
        self.norm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.mlp_xyz = DynamicMlp(config, parts.adaptive)
        self.mlp_rgb = DynamicMlp(config, parts.adaptive)

    def in_context(self, rgb: Tensor, xyz: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """f_hat of xyz and of rgb [N,784,width]: what the instructed transformer makes of the features (eq. 2)."""
        fine = torch.stack([self.project_xyz(xyz), rgb], 1) + self.modality[:, None]
        batch, _, _, width = fine.shape
        side = GRID // self.config.stride
        images = fine.reshape(batch * 2, GRID, GRID, width).permute(0, 3, 1, 2)
        coarse = F.avg_pool2d(images, self.config.stride) if self.config.stride > 1 else images
        tokens = coarse.flatten(2).transpose(1, 2).reshape(batch, 2 * side * side, width)
        chosen = None if self.instructions is None else self.instructions[condition]
        change = self.transformer(tokens, chosen) - tokens
        spread = change.reshape(batch * 2, side, side, width).permute(0, 3, 1, 2)
        if self.config.stride > 1:
            spread = F.interpolate(spread, size=(GRID, GRID), mode="bilinear", align_corners=False)
        context = self.norm(fine + spread.flatten(2).transpose(1, 2).reshape(batch, 2, PATCHES, width))
        return context[:, 0], context[:, 1]

    def forward(self, rgb: Tensor, xyz: Tensor, condition: Tensor) -> Tensor:
        xyz_context, rgb_context = self.in_context(rgb, xyz, condition)
        pooled = torch.cat([xyz_context.mean(1), rgb_context.mean(1)], 1)
        return torch.cat([self.mlp_xyz(xyz_context, pooled), self.mlp_rgb(rgb_context, pooled)], 2)


class FusionGraph(nn.Module):
    """The exported graph: rgb [784,rgb_width], xyz [784,xyz_width], condition int64 [1] -> tokens [784,2 width].

    Every channel is standardised by its mean and deviation over good patches in that condition ([3,2 width] each), so
    that no channel and no condition rules a bank's distances.
    """

    mean: Tensor
    gain: Tensor

    def __init__(self, fusion: InstructionFusion, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.fusion = fusion
        self.register_buffer("mean", mean)
        self.register_buffer("gain", 1 / std)

    def forward(self, rgb: Tensor, xyz: Tensor, condition: Tensor) -> Tensor:
        fused = self.fusion(rgb.unsqueeze(0), xyz.unsqueeze(0), condition).squeeze(0)
        return (fused - self.mean[condition]) * self.gain[condition]


class Concatenation(nn.Module):
    """The fusion without a training, for encoders that none was trained for: both features side by side.

    Same inputs and output as FusionGraph, [784, rgb_width + xyz_width]; the side that is missing is zero.
    """

    present: Tensor

    def __init__(self, rgb_width: int, xyz_width: int) -> None:
        super().__init__()
        # Each modality counts the same, however wide it is.
        half = (rgb_width + xyz_width) / 2
        rgb, xyz = (half / rgb_width) ** 0.5, (half / xyz_width) ** 0.5
        gains = [(rgb, xyz), (rgb, 0.0), (0.0, xyz)]
        rows = [torch.cat([torch.full((rgb_width,), a), torch.full((xyz_width,), b)]) for a, b in gains]
        self.register_buffer("present", torch.stack(rows))

    def forward(self, rgb: Tensor, xyz: Tensor, condition: Tensor) -> Tensor:
        return torch.cat([rgb, xyz], 1) * self.present[condition]
