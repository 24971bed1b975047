"""Trainings -> bundle.

python -m radar_training.build --rgb rgb.pt --xyz xyz.pt --out ENCODERS --version 0.3.0
python -m radar_training.build --fusion RUN --tokens TOKENS --others ENCODERS --out FOLDER --version 0.3.0

The first has a plain concatenation for a fusion: it is what token_sets runs before there is a fusion to train.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .augment import SIZE
from .bundle import PATCHES, Golden, Provenance, finish_bundle, output_width, write_network
from .clouds import draw_cloud
from .distil import normalised
from .export import input_shape, open_graph, run_graph
from .fusion import CONDITIONS, CONFIGS, Concatenation, FusionGraph, Parts
from .point_groups import group_points
from .procedural import draw_picture
from .rgb_encoder import RgbEncoder, StudentTaps, patch_features
from .token_sets import TokenSet
from .train_fusion import Radar
from .xyz_encoder import CENTRES, NEIGHBOURS, XyzBackbone, XyzEncoder

#: Pictures and clouds that the tokens are standardised on. Another seed than the training's.
PICTURES, CLOUDS, SEED = 128, 48, 99


def reference_pixels(count: int = PICTURES) -> Tensor:
    """Pixel values 0..255, float [count,3,224,224]."""
    drawn = [draw_picture(np.random.default_rng([SEED, index]), SIZE) for index in range(count)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float()


def reference_clouds(
    count: int = CLOUDS, centres: int = CENTRES, neighbours: int = NEIGHBOURS
) -> tuple[Tensor, Tensor]:
    """Groups [count,G,K,3] and centres [count,G,3], metres."""
    clouds = (draw_cloud(np.random.default_rng([SEED, index])) for index in range(count))
    drawn = [group_points(cloud, centres, neighbours) for cloud in clouds]
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


def fusion_graph(checkpoint: dict[str, Any], tokens: TokenSet) -> FusionGraph:
    """The trained fusion, its answers standardised per condition over the patches of `tokens` that hold a part."""
    about = checkpoint["about"]
    radar = Radar(CONFIGS[about["config"]["name"]], Parts.parse(about["parts"]))
    radar.load_state_dict(checkpoint["radar"])
    radar.eval()
    spreads = []
    with torch.no_grad():
        for condition in range(len(CONDITIONS)):
            rows = [
                radar.fusion(batch.rgb, batch.xyz, batch.condition)[batch.targets.covered]
                for batch in tokens.in_condition(condition)
            ]
            spreads.append(spread_of(torch.cat(rows)))
    means, stds = zip(*spreads, strict=True)
    return FusionGraph(radar.fusion, torch.stack(means), torch.stack(stds)).eval()


def provenance(network: nn.Module, training: str, data: str, seed: int) -> Provenance:
    return {
        "licence": "Apache-2.0",
        "training": f"{training}, torch {torch.__version__}",
        "data": data,
        "seed": seed,
        "parameters": parameters(network),
    }


def trained_rgb(path: Path) -> tuple[nn.Module, Provenance]:
    run = torch.load(path)
    network, report = rgb_encoder(run, reference_pixels()), run["report"]
    training = (
        "radar_training.distil: random initialisation; targets are the answers of MobileNetV2 1.0 224 (ImageNet, "
        "Apache-2.0, google-coral/test_data 104342d2d348) to procedural pictures, none of its weights; "
        f"step {report['step']}, minutes {report['minutes']}"
    )
    data = f"{report['pictures']} pictures drawn by radar_training.procedural and drivers/synthetic"
    return network, provenance(network, training, data, report["seed"])


def trained_xyz(path: Path) -> tuple[nn.Module, Provenance]:
    run = torch.load(path)
    network, report = xyz_encoder(run, reference_clouds()), run["report"]
    training = (
        "radar_training.masked_points: random initialisation; masked groups and described surfaces; "
        f"step {report['step']}, minutes {report['minutes']}"
    )
    data = f"{report['clouds']} clouds drawn by radar_training.clouds and drivers/synthetic"
    return network, provenance(network, training, data, report["seed"])


def trained_fusion(run: Path, tokens: TokenSet) -> tuple[nn.Module, Provenance]:
    checkpoint = torch.load(run / "checkpoint.pt")
    network, about = fusion_graph(checkpoint, tokens), checkpoint["about"]
    schedule = about["schedule"]
    steps = ", ".join(f"{name} {schedule[name]}" for name in ("context", "align", "double_pseudo"))
    training = (
        f"radar_training.train_fusion: random initialisation; parts {about['parts']}; steps {steps}; "
        f"batch {schedule['batch']}, missing rate {schedule['missing_rate']}"
    )
    data = f"{about['samples']} good parts drawn by drivers/synthetic"
    return network, provenance(network, training, data, schedule["seed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rgb", type=Path, help="checkpoint of distil")
    parser.add_argument("--xyz", type=Path, help="checkpoint of masked_points")
    parser.add_argument("--fusion", type=Path, help="run folder of train_fusion")
    parser.add_argument("--tokens", type=Path, nargs="+", help="what the fusion's answers are standardised on")
    parser.add_argument("--others", type=Path, help="bundle, or import, of the networks not named")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="radar-lite")
    parser.add_argument("--version", required=True)
    parser.add_argument("--measured", type=Path, help="JSON of evaluate.py for the manifest")
    args = parser.parse_args()
    if args.fusion and not args.tokens:
        parser.error("--fusion needs --tokens")
    build(
        args.out,
        networks={
            "rgb": args.rgb and trained_rgb(args.rgb),
            "xyz": args.xyz and trained_xyz(args.xyz),
            "fusion": args.fusion and trained_fusion(args.fusion, TokenSet(args.tokens)),
        },
        others=args.others,
        name=args.name,
        version=args.version,
        measured=json.loads(args.measured.read_text()) if args.measured else {},
    )


def known_provenance(folder: Path) -> dict[str, Provenance]:
    """Of each network in a bundle, or of the two that import_backbones has written."""
    imported = folder / "import.json"
    if not imported.is_file():
        manifest = json.loads((folder / "manifest.json").read_text())
        networks = manifest["encoders"] | {part: manifest[part] for part in ("fusion",) if part in manifest}
        return {part: network["provenance"] for part, network in networks.items()}
    report = json.loads(imported.read_text())
    return {
        part: {
            "licence": report[part]["licence"],
            "training": f"{report[part]['network']}, imported from {report[part]['from']['name']}",
            "data": report[part]["data"],
            "seed": 0,
            "parameters": report[part]["parameters"],
        }
        for part in ("rgb", "xyz")
    }


def build(
    out: Path,
    *,
    networks: dict[str, tuple[nn.Module, Provenance] | None],
    others: Path | None,
    name: str,
    version: str,
    measured: dict[str, float | str],
) -> None:
    """Write a bundle from trained networks and, for the rest, those of another; without any fusion a concatenation."""
    out.mkdir(parents=True, exist_ok=True)
    known = known_provenance(others) if others else {}
    made: dict[str, Provenance] = {}
    for part in ("rgb", "xyz", "fusion"):
        trained = networks[part]
        if trained is None and others is not None and part in known:
            shutil.copyfile(others / f"{part}.onnx", out / f"{part}.onnx")
            made[part] = known[part]
        elif trained is None and part == "fusion":
            plain = Concatenation(*(output_width(out / f"{name}.onnx") for name in ("rgb", "xyz")))
            write_network(out, part, plain)
            made[part] = provenance(plain, "none: a concatenation", "none", 0)
        elif trained is None:
            raise ValueError(f"{part}: neither a training nor another bundle was given, expected one of them")
        else:
            write_network(out, part, trained[0])
            made[part] = trained[1]
    groups, centres = reference_clouds(1, *input_shape(open_graph(out / "xyz.onnx"), "groups")[:2])
    tokens = run_graph(out / "xyz.onnx", {"groups": groups[0].numpy(), "centres": centres[0].numpy()})
    golden: Golden = {
        "image": normalised(reference_pixels(count=1)).numpy(),
        "groups": groups[0].numpy(),
        "centres": centres[0].numpy(),
        # Real tokens in an order that no part has: the fusion's arithmetic is what is held, not its sense.
        "xyz_patches": tokens[np.arange(PATCHES) % len(tokens)],
    }
    finish_bundle(out, golden=golden, provenance=made, name=name, version=version, measured=measured)


if __name__ == "__main__":
    main()
