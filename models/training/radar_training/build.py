"""Checkpoints -> bundle.

python -m radar_training.build --rgb rgb.pt --xyz xyz.pt --out FOLDER --version 0.1.0 --measured measured.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .augment import SIZE
from .bundle import Golden, Provenance, write_bundle
from .clouds import draw_cloud
from .distil import normalised
from .point_groups import group_points
from .procedural import draw_picture
from .rgb_encoder import RgbEncoder, StudentTaps, patch_features
from .xyz_encoder import XyzBackbone, XyzEncoder

#: Pictures and clouds that the tokens are standardised on. Another seed than the training's.
PICTURES, CLOUDS, SEED = 128, 48, 99


def reference_pixels() -> Tensor:
    """Pixel values 0..255, float [PICTURES,3,224,224]."""
    drawn = [draw_picture(np.random.default_rng([SEED, index]), SIZE) for index in range(PICTURES)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float()


def reference_clouds() -> tuple[Tensor, Tensor]:
    """Groups [CLOUDS,G,K,3] and centres [CLOUDS,G,3], metres."""
    drawn = [group_points(draw_cloud(np.random.default_rng([SEED, index]))) for index in range(CLOUDS)]
    return tuple(torch.from_numpy(np.stack(values)) for values in zip(*drawn, strict=True))  # type: ignore[return-value]


def spread_of(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per last-axis channel."""
    rows = features.flatten(0, -2)
    return rows.mean(0), rows.std(0).clamp_min(1e-3)


def rgb_encoder(checkpoint: dict[str, Any], pixels: Tensor) -> RgbEncoder:
    taps = StudentTaps().eval()
    taps.load_state_dict(checkpoint["taps"])
    taps.fold()
    with torch.no_grad():
        features = [patch_features(*taps(normalised(chunk))) for chunk in pixels.split(8)]
    return RgbEncoder(taps, *spread_of(torch.cat(features).permute(0, 2, 3, 1))).eval()


def xyz_encoder(checkpoint: dict[str, Any], clouds: tuple[Tensor, Tensor]) -> XyzEncoder:
    backbone = XyzBackbone().eval()
    backbone.load_state_dict(checkpoint["backbone"])
    with torch.no_grad():
        tokens = [backbone(*one) for one in zip(*(values.split(4) for values in clouds), strict=True)]
    return XyzEncoder(backbone, *spread_of(torch.cat(tokens))).eval()


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def provenance(network: nn.Module, report: dict[str, Any], *, training: str, data: str) -> Provenance:
    run = ", ".join(f"{name} {report[name]}" for name in ("step", "minutes"))
    return {
        "licence": "Apache-2.0",
        "training": f"{training} ({run}, torch {torch.__version__})",
        "data": data,
        "seed": report["seed"],
        "parameters": parameters(network),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rgb", type=Path, required=True)
    parser.add_argument("--xyz", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--measured", type=Path, help="JSON of evaluate.py for the manifest")
    args = parser.parse_args()
    rgb_run, xyz_run = torch.load(args.rgb), torch.load(args.xyz)
    pixels, clouds = reference_pixels(), reference_clouds()
    rgb, xyz = rgb_encoder(rgb_run, pixels), xyz_encoder(xyz_run, clouds)
    golden: Golden = {
        "image": normalised(pixels[:1]).numpy(),
        "groups": clouds[0][0].numpy(),
        "centres": clouds[1][0].numpy(),
    }
    write_bundle(
        args.out,
        rgb,
        xyz,
        golden=golden,
        rgb_provenance=provenance(
            rgb,
            rgb_run["report"],
            training="radar_training.distil: random initialisation; targets are the answers of MobileNetV2 1.0 224 "
            "(ImageNet, Apache-2.0, google-coral/test_data 104342d2d348) to procedural pictures, none of its weights",
            data=f"{rgb_run['report']['pictures']} pictures drawn by radar_training.procedural and drivers/synthetic",
        ),
        xyz_provenance=provenance(
            xyz,
            xyz_run["report"],
            training="radar_training.masked_points: random initialisation; masked groups and described surfaces",
            data=f"{xyz_run['report']['clouds']} clouds drawn by radar_training.clouds and drivers/synthetic",
        ),
        name="radar-lite",
        version=args.version,
        measured=json.loads(args.measured.read_text()) if args.measured else {},
    )


if __name__ == "__main__":
    main()
