"""Runs the frozen encoders once over a dataset's good training parts; the fusion is trained on what they answer.

    python -m radar_training.token_sets --encoders BUNDLE --data FOLDER --out TOKENS [--split FILE xyz 0.7 both 1]

BUNDLE holds rgb.onnx and xyz.onnx (of radar-lite, or of import_backbones). Writes one array per file, so that a large
set is read without being loaded; a half-written set has no tokens.json and is refused. With `--split` the parts that a
split of MIIAD Bench leaves without a modality are trained on without it.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .bundle import MEAN, PATCHES, STD, pseudo_features, sha256, write_whole
from .datasets import CONDITIONS, Condition, PartFile, conditions, index_parts, load_part
from .double_pseudo import Targets
from .export import input_shape, open_graph
from .parts import SIZE, Part
from .point_groups import group_points
from .token_grid import GRID, pool_tokens
from .xyz_encoder import POSITION_SCALE_METRES

ARRAYS = ("rgb", "xyz", "covered", "points", "picture", "condition")
FEWEST_POINTS = 256


class Encoders:
    """The frozen graphs of a bundle folder."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.rgb = open_graph(folder / "rgb.onnx", threads)
        self.xyz = open_graph(folder / "xyz.onnx", threads)
        self.centres, self.neighbours, _ = input_shape(self.xyz, "groups")
        self.names = {name: sha256(folder / f"{name}.onnx") for name in ("rgb", "xyz")}
        self.pseudo = pseudo_features(folder)

    def encode(self, part: Part) -> dict[str, NDArray[Any]]:
        image = ((part.pixels / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32).transpose(2, 0, 1)[None]
        groups = group_points(part.points, self.centres, self.neighbours)
        tokens = self.xyz.run(None, {"groups": groups.groups, "centres": groups.centres})[0]
        points, covered = patch_points(part)
        return {
            "rgb": self.rgb.run(None, {"image": image})[0][0].astype(np.float16),
            "xyz": pool_tokens(tokens, groups.centres, part.points, part.raster).astype(np.float16),
            "covered": covered,
            "points": points.astype(np.float16),
            "picture": part.pixels,
        }


def patch_points(part: Part) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Per patch its mean point relative to the part's [784,3], in POSITION_SCALE_METRES; and which patches have any."""
    patch = part.raster // SIZE // 8 * GRID + part.raster % SIZE // 8
    count = np.bincount(patch, minlength=PATCHES)
    relative = (part.points - part.points.mean(0)) / POSITION_SCALE_METRES
    sums = np.stack([np.bincount(patch, relative[:, axis], PATCHES) for axis in range(3)], 1)
    return (sums / np.maximum(count, 1)[:, None]).astype(np.float32), count > 0


def write_token_set(encoders: Encoders, parts: list[PartFile], out: Path, known: Mapping[str, Condition]) -> int:
    """Encode every part that has points enough; `known` says which lack a modality in a split. Returns how many."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokens.json").unlink(missing_ok=True)
    kept: list[dict[str, NDArray[Any]]] = []
    names: list[str] = []
    for file in parts:
        part = load_part(file)
        if len(part.points) < FEWEST_POINTS:
            continue
        condition = CONDITIONS.index(known.get(file.part_id, "complete"))
        kept.append(encoders.encode(part) | {"condition": np.array(condition, np.int64)})
        names.append(file.part_id)
        if len(kept) % 50 == 0:
            print(f"{len(kept)} of {len(parts)} parts", flush=True)
    if not kept:
        raise ValueError(f"{out}: none of {len(parts)} parts has {FEWEST_POINTS} points, expected at least one")
    for name in ARRAYS:
        np.save(out / f"{name}.npy", np.stack([one[name] for one in kept]))
    for name, value in encoders.pseudo.items():
        np.save(out / f"pseudo-{name}.npy", value)
    about = {"count": len(kept), "encoders": encoders.names, "parts": names}
    write_whole(out / "tokens.json", (json.dumps(about) + "\n").encode())
    return len(kept)


@dataclass(frozen=True)
class Batch:
    rgb: Tensor
    """[N,784,rgb_width]: the pseudo-feature where it is missing."""
    xyz: Tensor
    condition: Tensor
    """[N] index into CONDITIONS."""
    targets: Targets


class TokenSet:
    """A written set, or several of the same encoders, as one."""

    def __init__(self, folders: list[Path]) -> None:
        abouts = []
        for folder in folders:
            if not (folder / "tokens.json").is_file():
                raise ValueError(f"{folder}: has no tokens.json, expected a set that token_sets has finished")
            abouts.append(json.loads((folder / "tokens.json").read_text()))
        self.encoders: dict[str, str] = abouts[0]["encoders"]
        if any(about["encoders"] != self.encoders for about in abouts):
            raise ValueError(f"{folders}: made by different encoders, expected one pair")
        self.arrays = {name: [np.load(folder / f"{name}.npy", mmap_mode="r") for folder in folders] for name in ARRAYS}
        self.places = [(s, i) for s, about in enumerate(abouts) for i in range(about["count"])]
        self.pseudo_rgb = torch.from_numpy(np.load(folders[0] / "pseudo-rgb.npy"))
        self.pseudo_xyz = torch.from_numpy(np.load(folders[0] / "pseudo-xyz.npy"))

    def __len__(self) -> int:
        return len(self.places)

    def take(self, indices: NDArray[np.int64], rng: np.random.Generator | None, missing_rate: float) -> Batch:
        """Samples by index. With `rng` they are turned, and `missing_rate` of the complete ones lose a modality."""
        picked = {
            name: torch.from_numpy(np.stack([arrays[s][i] for s, i in (self.places[k] for k in indices)]))
            for name, arrays in self.arrays.items()
        }
        condition = picked["condition"].clone()
        rgb, xyz = picked["rgb"].float(), picked["xyz"].float()
        points, covered = picked["points"].float(), picked["covered"]
        picture = picked["picture"].permute(0, 3, 1, 2).float() / 255
        if rng is not None:
            turns = rng.random(3) < 0.5
            rgb, xyz, covered = (turned(value, turns) for value in (rgb, xyz, covered.unsqueeze(2)))
            covered = covered.squeeze(2)
            points = turned_points(points, turns)
            picture = turned(picture.flatten(2).transpose(1, 2), turns).transpose(1, 2).reshape(picture.shape)
            loses = torch.from_numpy(rng.random(len(indices)) < missing_rate) & (condition == 0)
            condition = torch.where(loses, torch.from_numpy(rng.integers(1, 3, len(indices))), condition)
        rgb = torch.where((condition == 2)[:, None, None], self.pseudo_rgb, rgb)
        xyz = torch.where((condition == 1)[:, None, None], self.pseudo_xyz, xyz)
        return Batch(rgb, xyz, condition, Targets(picture, points, covered))

    def in_condition(self, condition: int, batch: int = 16) -> Iterator[Batch]:
        """All samples that can show it, in order, narrowed to it."""
        for start in range(0, len(self), batch):
            taken = self.take(np.arange(start, min(start + batch, len(self))), None, 0)
            narrowed = self.narrowed(taken, condition)
            if narrowed is not None:
                yield narrowed

    def narrowed(self, batch: Batch, condition: int) -> Batch | None:
        """The samples of a batch that can show a condition, with nothing more than it has; none when none can."""
        can = (batch.condition == 0) | (batch.condition == condition)
        count = int(can.sum())
        if count == 0:
            return None
        device = batch.rgb.device
        return Batch(
            self.pseudo_rgb.to(device).expand(count, -1, -1) if condition == 2 else batch.rgb[can],
            self.pseudo_xyz.to(device).expand(count, -1, -1) if condition == 1 else batch.xyz[can],
            torch.full((count,), condition, device=device),
            Targets(*(value[can] for value in batch.targets)),
        )


def turned(grid: Tensor, turns: NDArray[np.bool_]) -> Tensor:
    """Row-major square grids [N,side*side,C], mirrored across, mirrored down, transposed as `turns` says."""
    batch, count, width = grid.shape
    side = int(count**0.5)
    square = grid.reshape(batch, side, side, width)
    across, down, transposed = turns
    if across:
        square = square.flip(2)
    if down:
        square = square.flip(1)
    if transposed:
        square = square.transpose(1, 2)
    return square.reshape(batch, count, width)


def turned_points(points: Tensor, turns: NDArray[np.bool_]) -> Tensor:
    """The same for centred points [N,784,3], whose coordinates turn with the grid."""
    across, down, transposed = turns
    signs = torch.tensor([-1.0 if across else 1.0, -1.0 if down else 1.0, 1.0])
    moved = turned(points, turns) * signs
    return moved[..., [1, 0, 2]] if transposed else moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--encoders", type=Path, required=True, help="folder with rgb.onnx and xyz.onnx")
    parser.add_argument("--data", type=Path, required=True, help="MVTec 3D-AD, Eyecandies or `radar-edge synth`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", nargs=5, metavar=("FILE", "KIND", "RATE", "WHERE", "SEED"), help="of MIIAD Bench")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    every = index_parts(args.data)
    known: Mapping[str, Condition] = {}
    if args.split:
        file, kind, rate, where, seed = args.split
        known = conditions(Path(file), every, kind=kind, rate=float(rate), where=where, seed=int(seed))
    parts = [part for part in every if part.split == "train" and part.label == "good"]
    count = write_token_set(Encoders(args.encoders, args.threads), parts, args.out, known)
    print(f"{count} parts in {args.out}")


if __name__ == "__main__":
    main()
