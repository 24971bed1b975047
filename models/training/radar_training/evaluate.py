"""Measures a bundle on a synthetic dataset with a tiny PatchCore, and against the teacher. Chooses; does not promise.

    python -m radar_training.evaluate --bundle radar-lite --teacher PLUGGED_BUNDLE --data FOLDER --out measured.json

The product's own figures come from `radar-edge bench anomaly`, which shares no code with this.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .bundle import MEAN, STD
from .export import open_graph
from .parts import Part, read_part
from .patchcore import auroc, part_scores
from .point_groups import group_points
from .token_grid import foreground_patches, pool_tokens

Encode = Callable[[Part], NDArray[np.float32]]
#: Kinds of drivers/synthetic that one sensor alone can see.
COLOUR_ONLY = {"stain", "discolouration", "misprint"}
SHAPE_ONLY = {"dent", "bump", "warp"}


def rgb_tokens(bundle: Path) -> Encode:
    session = open_graph(bundle / "rgb.onnx")

    def encode(part: Part) -> NDArray[np.float32]:
        image = ((part.pixels / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
        tokens: NDArray[np.float32] = session.run(None, {"image": image.transpose(2, 0, 1)[None]})[0][0]
        return tokens

    return encode


def xyz_tokens(bundle: Path) -> Encode:
    session = open_graph(bundle / "xyz.onnx")

    def encode(part: Part) -> NDArray[np.float32]:
        groups = group_points(part.points)
        tokens = session.run(None, {"groups": groups.groups, "centres": groups.centres})[0]
        return pool_tokens(tokens, groups.centres, part.points, part.raster)

    return encode


def parts_of(folder: Path, limit: int) -> list[Part]:
    """The first `limit` parts of every label, so that a quick look stays balanced."""
    paths = [p for label in sorted(folder.iterdir()) for p in sorted((label / "rgb").glob("*.png"))[:limit]]
    return [read_part(path, path.parent.parent.name) for path in paths]


def measure(train: list[Part], test: list[Part], encode: Encode) -> dict[str, float]:
    """AUROC over all defects, and over those that only one sensor sees."""
    voters = [foreground_patches(part.raster) for part in test]
    scores = part_scores([encode(part) for part in train], [encode(part) for part in test], voters)
    labels = [part.label for part in test]
    kinds = {"all": None, "colour": COLOUR_ONLY, "shape": SHAPE_ONLY}
    return {name: auroc(scores, labels, kind) for name, kind in kinds.items() if kind is None or kind & set(labels)}


def cosine(parts: list[Part], first: Encode, second: Encode) -> float:
    """Mean cosine per patch between two encoders of one token layout."""
    pairs = [(torch.from_numpy(first(part)), torch.from_numpy(second(part))) for part in parts]
    return float(torch.stack([torch.cosine_similarity(a, b).mean() for a, b in pairs]).mean())


def milliseconds(encode: Encode, part: Part) -> float:
    times = []
    for _ in range(15):
        started = time.perf_counter()
        encode(part)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a bundle made by plug_in")
    parser.add_argument("--data", type=Path, required=True, help="a root of classes in MVTec 3D-AD's layout")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    encoders = {"rgb": rgb_tokens(args.bundle), "teacher": rgb_tokens(args.teacher), "xyz": xyz_tokens(args.bundle)}
    sums: dict[str, list[float]] = defaultdict(list)
    for folder in sorted(path for path in args.data.iterdir() if (path / "test").is_dir()):
        train, test = parts_of(folder / "train", args.limit), parts_of(folder / "test", args.limit)
        results = {name: measure(train, test, encode) for name, encode in encoders.items()}
        for name, values in results.items():
            for kind, value in values.items():
                sums[f"synthetic {name} AUROC {kind}"].append(value)
        sums["synthetic cosine to teacher"].append(cosine(test, encoders["rgb"], encoders["teacher"]))
        print(folder.name, {n: {k: round(v, 3) for k, v in r.items()} for n, r in results.items()}, flush=True)
    measured: dict[str, float | str] = {name: round(float(np.mean(values)), 3) for name, values in sums.items()}
    measured["synthetic classes"] = len(sums["synthetic cosine to teacher"])
    measured["rgb ms, 2 threads"] = round(milliseconds(encoders["rgb"], test[0]), 1)
    print(json.dumps(measured, indent=2))
    if args.out:
        args.out.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
