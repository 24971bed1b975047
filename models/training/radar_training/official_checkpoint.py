"""What the official checkpoints hold, by name, and whether a file holds exactly that.

A checkpoint is foreign bytes: it is read with torch's weights-only reader, which builds tensors and plain containers
and calls nothing that the file names. A file that asks for more is refused.
"""

import hashlib
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .point_mae import PointMae, PointMaeShape
from .transformer import Block
from .vit import Vit, VitShape

#: Point-MAE's decoder (its pretrain.yaml): four blocks that put back masked groups of 32 points. Not used here.
DECODER_DEPTH = 4
DECODER_POINTS = 32
#: torch saves a network wrapped for several GPUs under this prefix; the released Point-MAE file has it.
WRAPPER = "module."


class CheckpointRefused(Exception):
    """The file is not the official checkpoint; the message names everything that differs, one line each."""


@dataclass(frozen=True)
class ExpectedTensor:
    """One tensor of an official file; `used` is false for what the encoder has no use for."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    used: bool

    def __str__(self) -> str:
        return described(self.shape, self.dtype)


#: Every tensor of a file by its official name, in the file's order.
Layout = dict[str, ExpectedTensor]


@dataclass(frozen=True)
class Checkpoint:
    """A read file: `content` holds tensors and plain containers only."""

    path: Path
    sha256: str
    size_bytes: int
    content: Any


def described(shape: tuple[int, ...], dtype: torch.dtype) -> str:
    return f"{str(dtype).removeprefix('torch.')} {list(shape)}"


def layout_of(module: nn.Module, prefix: str, used: bool) -> Layout:
    return {
        prefix + name: ExpectedTensor(tuple(tensor.shape), tensor.dtype, used)
        for name, tensor in module.state_dict().items()
    }


def dino_layout(shape: VitShape) -> Layout:
    """The backbone-only file: exactly the network, which has no head."""
    with torch.device("meta"):
        return layout_of(Vit(shape), "", used=True)


def point_mae_layout(shape: PointMaeShape) -> Layout:
    """The pre-training file's `base_model`, wrapper taken off: encoder, and the decoder that is left out."""
    width = shape.width
    with torch.device("meta"):
        layout = layout_of(PointMae(shape), "MAE_encoder.", used=True)
        for norm, channels in (("first_conv.1", 128), ("second_conv.1", 512)):
            # The training's averages: this sample's own are used instead (numerics 3.4).
            layout |= layout_of(batch_averages(channels), f"MAE_encoder.encoder.{norm}.", used=False)
        decoder = nn.ModuleDict(
            {
                "decoder_pos_embed": nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width)),
                "MAE_decoder": nn.ModuleDict(
                    {
                        "blocks": nn.ModuleList(
                            Block(width, shape.heads, 4 * width, qkv_bias=False, epsilon=1e-5)
                            for _ in range(DECODER_DEPTH)
                        ),
                        "norm": nn.LayerNorm(width),
                    }
                ),
                "increase_dim": nn.Sequential(nn.Conv1d(width, 3 * DECODER_POINTS, 1)),
            }
        )
        decoder.register_parameter("mask_token", nn.Parameter(torch.empty(1, 1, width)))
        return layout | layout_of(decoder, "", used=False)


def batch_averages(channels: int) -> nn.Module:
    """Mean, variance and count that a batch norm keeps, without its weights."""
    return nn.BatchNorm1d(channels, affine=False)


def read_checkpoint(path: Path) -> Checkpoint:
    """Hash the file and read it, weights only. Raises CheckpointRefused, and OSError where there is no file."""
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        size_bytes = handle.tell()
        handle.seek(0)
        try:
            # The released tensors lie on a GPU.
            content = torch.load(handle, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise CheckpointRefused(
                f"{path.name}: expected tensors and plain containers; the file asks for more or is damaged, and was "
                f"refused before anything in it ran ({asked_for(error)})"
            ) from error
        except Exception as error:
            # A damaged file fails in as many ways as it has bytes.
            told = f"{type(error).__name__} {error}".splitlines()[0]
            raise CheckpointRefused(f"{path.name}: not a checkpoint that torch can read ({told})") from error
    return Checkpoint(path, sha256, size_bytes, content)


def asked_for(error: Exception) -> str:
    """What the reader met, without torch's advice to switch its guard off."""
    met = re.search(r"GLOBAL ([\w.]+)|Unsupported operand (\d+)", str(error))
    if met is None:
        return type(error).__name__
    return f"it names {met[1]}" if met[1] else f"operand {met[2]}"


def named_values(content: Any, container: str | None) -> dict[str, Any]:
    """The file's values by name: `content` itself or what lies in it under `container`, the wrapper's prefix off."""
    values = content.get(container) if container is not None and isinstance(content, dict) else content
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        wanted = "tensors by name" if container is None else f"tensors by name under '{container}'"
        held = f"a dict of {sorted(map(str, content))[:8]}" if isinstance(content, dict) else type(content).__name__
        raise CheckpointRefused(f"expected {wanted}, found {held}")
    if all(name.startswith(WRAPPER) for name in values):
        return {name.removeprefix(WRAPPER): value for name, value in values.items()}
    return values


def differences(layout: Layout, values: dict[str, Any]) -> list[str]:
    """One line for each tensor that differs from the layout, and one for the total; empty when nothing does."""
    lines = []
    for name, expected in layout.items():
        if name not in values:
            lines.append(f"missing      {name}: expected {expected}, found nothing")
            continue
        value = values[name]
        if not isinstance(value, Tensor):
            lines.append(f"not a tensor {name}: expected {expected}, found {type(value).__name__}")
            continue
        found = described(tuple(value.shape), value.dtype)
        if tuple(value.shape) != expected.shape:
            lines.append(f"wrong shape  {name}: expected {expected}, found {found}")
        elif value.dtype != expected.dtype or value.layout != torch.strided:
            lines.append(f"wrong type   {name}: expected {expected}, found {found} ({value.layout})")
        elif not bool(value.isfinite().all()):
            lines.append(f"not finite   {name}: expected finite values, found NaN or infinity")
    for name, value in values.items():
        if name not in layout:
            found = described(tuple(value.shape), value.dtype) if isinstance(value, Tensor) else type(value).__name__
            lines.append(f"unexpected   {name}: expected nothing, found {found}")
    total = parameters_of(layout)
    held = sum(values[name].numel() for name in used_names(layout) if isinstance(values.get(name), Tensor))
    if held != total:
        lines.append(f"wrong total  the encoder's parameters: expected {total:,}, found {held:,}")
    return lines


def used_names(layout: Layout) -> list[str]:
    return [name for name, expected in layout.items() if expected.used]


def left_out_names(layout: Layout) -> list[str]:
    return [name for name, expected in layout.items() if not expected.used]


def values_of(expected: ExpectedTensor) -> int:
    return int(torch.Size(expected.shape).numel())


def parameters_of(layout: Layout) -> int:
    """Values of every used tensor, each once: weights, biases, norms, positions, CLS."""
    return sum(values_of(expected) for expected in layout.values() if expected.used)
