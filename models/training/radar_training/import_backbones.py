"""Official DINO ViT-B/8 and Point-MAE checkpoints -> the two encoders of a paper-sized bundle.

    python -m radar_training.import_backbones --dino dino_vitbase8_pretrain.pth --point-mae pretrain.pth --out FOLDER

Writes rgb.onnx, xyz.onnx and import.json (what was imported, hashes, licences). Nothing is downloaded, and nothing is
written unless both files hold exactly the official tensors; otherwise every difference is printed and the exit is 2.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .bundle import GOLDEN_TOLERANCE, sha256, write_whole
from .export import OPSET, export_graph, run_graph
from .official_checkpoint import (
    Checkpoint,
    CheckpointRefused,
    Layout,
    differences,
    dino_layout,
    left_out_names,
    named_values,
    parameters_of,
    point_mae_layout,
    read_checkpoint,
    used_names,
    values_of,
)
from .point_mae import PointMae, PointMaeGraph, PointMaeShape
from .vit import Vit, VitShape

WHERE_FROM = """\
where from (you download both files; check that their terms suit you):
  dino_vitbase8_pretrain.pth  project facebookresearch/dino, README, 'Pretrained models', row ViT-B/8, 'backbone only'
                              Apache-2.0; trained on ImageNet-1k, whose pictures have terms of their own
  pretrain.pth                project Pang-Yatian/Point-MAE, README, 'Point-MAE Models', row 'Pre-training'
                              MIT; trained on ShapeNet-55, whose models have terms of their own
"""
#: Seed of the made-up inputs that an exported graph is compared with PyTorch on.
SEED = 7


@dataclass(frozen=True)
class Source:
    """Whose weights, under which terms; goes into import.json as it is."""

    network: str
    project: str
    licence: str
    notice: str
    data: str
    container: str | None


DINO = Source(
    network="DINO ViT-B/8",
    project="facebookresearch/dino",
    licence="Apache-2.0",
    notice="Copyright (c) Facebook, Inc. and its affiliates.",
    data="ImageNet-1k, without labels",
    container=None,
)
POINT_MAE = Source(
    network="Point-MAE encoder",
    project="Pang-Yatian/Point-MAE",
    licence="MIT",
    notice="Copyright (c) 2022 PANG-Yatian, YUAN-Li",
    data="ShapeNet-55, without labels",
    container="base_model",
)


@dataclass(frozen=True)
class Verified:
    """A file whose every tensor is as the layout says."""

    source: Source
    checkpoint: Checkpoint
    layout: Layout
    values: dict[str, Tensor]


def verify(path: Path, source: Source, layout: Layout) -> Verified:
    """Read and compare one file. Raises CheckpointRefused with a line for each difference."""
    checkpoint = read_checkpoint(path)
    values = named_values(checkpoint.content, source.container)
    lines = differences(layout, values)
    if lines:
        raise CheckpointRefused("\n  ".join([f"{path.name}: not the official {source.network}", *lines]))
    return Verified(source, checkpoint, layout, values)


def take_weights(network: nn.Module, verified: Verified, prefix: str) -> None:
    """Give a network built on the meta device the file's weights, without a copy, and freeze it."""
    weights = {name.removeprefix(prefix): verified.values[name] for name in used_names(verified.layout)}
    network.load_state_dict(weights, strict=True, assign=True)
    network.requires_grad_(False).eval()


def exported(network: nn.Module, inputs: dict[str, Tensor], path: Path) -> float:
    """Write the graph and return its largest difference from PyTorch on these inputs."""
    export_graph(network, inputs, path, halved=False)
    with torch.inference_mode():
        wanted = network(*inputs.values()).numpy()
    got = run_graph(path, {name: value.numpy() for name, value in inputs.items()})
    difference = float(np.abs(got - wanted).max())
    # Written so that a NaN fails, too.
    if not difference <= GOLDEN_TOLERANCE:
        raise RuntimeError(f"{path.name}: differs from PyTorch by {difference:.1e}, allowed {GOLDEN_TOLERANCE:.1e}")
    return difference


def picture(shape: VitShape) -> dict[str, Tensor]:
    """A made-up normalised image [1,3,S,S]."""
    generator = torch.Generator().manual_seed(SEED)
    return {"image": torch.randn(1, 3, shape.image_pixels, shape.image_pixels, generator=generator)}


def cloud(shape: PointMaeShape) -> dict[str, Tensor]:
    """Made-up groups of a few millimetres around centres on a part half a metre away, metres."""
    generator = torch.Generator().manual_seed(SEED)
    groups = torch.randn(shape.centres, shape.neighbours, 3, generator=generator) * 0.003
    centres = torch.randn(shape.centres, 3, generator=generator) * 0.05 + torch.tensor([0.0, 0.0, 0.5])
    return {"groups": groups, "centres": centres}


def import_backbones(
    dino: Path,
    point_mae: Path,
    out: Path,
    *,
    vit: VitShape | None = None,
    points: PointMaeShape | None = None,
    tell: Callable[[str], object] = print,
) -> dict[str, Any]:
    """Verify both files, write rgb.onnx, xyz.onnx and import.json into `out`, and return the latter's content.

    The shapes are the official ones unless a test says otherwise. Raises CheckpointRefused, with the differences of
    both files, before anything is written.
    """
    vit, points = vit or VitShape(), points or PointMaeShape()
    verified, refusals = [], []
    for path, source, layout in ((dino, DINO, dino_layout(vit)), (point_mae, POINT_MAE, point_mae_layout(points))):
        try:
            verified.append(verify(path, source, layout))
        except CheckpointRefused as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise CheckpointRefused("\n".join(refusals))
    rgb, xyz = verified
    for one in verified:
        tell(table(one))
    with torch.device("meta"):
        rgb_encoder, xyz_encoder = Vit(vit), PointMae(points)
    take_weights(rgb_encoder, rgb, "")
    take_weights(xyz_encoder, xyz, "MAE_encoder.")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        rgb_graph, xyz_graph = Path(folder) / "rgb.onnx", Path(folder) / "xyz.onnx"
        rgb_difference = exported(rgb_encoder, picture(vit), rgb_graph)
        xyz_difference = exported(PointMaeGraph(xyz_encoder), cloud(points), xyz_graph)
        report = {
            "schema": "radar-edge/import@1",
            "createdAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "torch": str(torch.__version__),
            "opset": OPSET,
            "rgb": entry(rgb, rgb_graph, rgb_difference),
            "xyz": entry(xyz, xyz_graph, xyz_difference),
        }
        for graph in (rgb_graph, xyz_graph):
            keep(graph, out / graph.name)
    # Last: a folder with this file in it is whole.
    write_whole(out / "import.json", (json.dumps(report, indent=2) + "\n").encode())
    tell(f"wrote {out}: largest difference from PyTorch {rgb_difference:.1e} (rgb), {xyz_difference:.1e} (xyz)")
    return report


def keep(graph: Path, path: Path) -> None:
    """Move a finished graph to its place, so that a crash leaves the old one or the new one."""
    with graph.open("rb") as handle:
        os.fsync(handle.fileno())
    os.replace(graph, path)


def entry(verified: Verified, graph: Path, difference: float) -> dict[str, Any]:
    """import.json's account of one encoder."""
    source, checkpoint = verified.source, verified.checkpoint
    return {
        "file": {"name": graph.name, "sha256": sha256(graph)},
        "network": source.network,
        "from": {
            "project": source.project,
            "name": checkpoint.path.name,
            "sha256": checkpoint.sha256,
            "bytes": checkpoint.size_bytes,
        },
        "licence": source.licence,
        "notice": source.notice,
        "data": source.data,
        "parameters": parameters_of(verified.layout),
        "tensors": len(used_names(verified.layout)),
        "leftOut": left_out_names(verified.layout),
        "maxAbsoluteDifference": difference,
    }


def table(verified: Verified) -> str:
    """Parts with their tensors and values, totals, and the left-out tensors by name."""
    source, checkpoint, layout = verified.source, verified.checkpoint, verified.layout
    parts: dict[tuple[str, bool], list[int]] = {}
    for name, expected in layout.items():
        parts.setdefault((part_of(name), expected.used), []).append(values_of(expected))
    lines = [
        f"{source.network} ({source.project}, {source.licence})",
        f"{checkpoint.path.name}, {checkpoint.size_bytes:,} bytes, sha256 {checkpoint.sha256}",
        f"  {'part':<26}{'tensors':>8}{'values':>14}",
    ]
    for (part, used), values in parts.items():
        lines.append(f"  {part:<26}{len(values):>8}{sum(values):>14,}{'' if used else '  left out'}")
    lines.append(f"  {'imported (parameters)':<26}{len(used_names(layout)):>8}{parameters_of(layout):>14,}")
    lines.extend(f"  left out: {name} {layout[name]}" for name in left_out_names(layout))
    return "\n".join(lines)


def part_of(name: str) -> str:
    """The table's row of a tensor: its top module, or the second level inside Point-MAE's encoder."""
    path = name.split(".")
    return ".".join(path[:2]) if path[0] == "MAE_encoder" else path[0]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None,
        epilog=WHERE_FROM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dino", type=Path, required=True, metavar="FILE", help="dino_vitbase8_pretrain.pth")
    parser.add_argument("--point-mae", type=Path, required=True, metavar="FILE", help="pretrain.pth of Point-MAE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args(arguments)
    try:
        import_backbones(args.dino, args.point_mae, args.out)
    except (CheckpointRefused, OSError) as error:
        print(f"import_backbones: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
