"""One index of parts for every layout that training and MIIAD Bench read.

- MVTec 3D-AD, and the sets that `radar-edge synth` writes in its layout:
  `[<category>/]{train,validation,test}/<label>/{rgb,xyz,gt}/<stem>.{png,tiff,png}`.
- Eyecandies: `[<category>/]{train,val,test_public}/data/<stem>_{image_4,depth,info_depth,mask}.{png,png,yaml,png}`.
  `test_private` has no labels and is left out.

Files belong together by their stem, never by their place in a sorted list (numerics 10).
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .parts import Part, prepare_part, read_picture, read_point_map

Split = Literal["train", "validation", "test"]
Condition = Literal["complete", "rgb-only", "xyz-only"]
MissingKind = Literal["none", "xyz", "rgb", "both"]
"""Named by what is missing."""
MissingPlace = Literal["both", "train", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CONDITIONS: tuple[Condition, ...] = ("complete", "rgb-only", "xyz-only")
SPLITS_SCHEMA = "radar-edge/miiad-splits@1"
EYECANDIES_SPLITS: dict[str, Split] = {"train": "train", "val": "validation", "test_public": "test"}
#: The left spot light, as M3DM and those who compare with it take it; image_5, the global light, shows less relief.
EYECANDIES_LIGHT = "image_4"
#: One camera for all pictures: 512 x 512, principal point in the middle (numerics 1.2).
EYECANDIES_FOCAL_PIXELS = 711.11
#: Rendered candies are about a metre wide. M3DM's factor makes them as big as the parts that our millimetres are for.
EYECANDIES_SCALE = 0.1


class DatasetError(Exception):
    """Says what is wrong, where, and what was expected."""


@dataclass(frozen=True)
class PartFile:
    part_id: str
    """Unique in the dataset: `[<category>/]<split>/<label>/<stem>`, as the daemon's index names it."""
    category: str
    split: Split
    label: str
    """`good`, or the defect's name; Eyecandies tells only `bad`."""
    rgb: Path | None
    xyz: Path | None
    """Point map in metres. A part has this, or `depth`, or neither."""
    depth: Path | None = None
    """16-bit depth; `<stem>_info_depth.yaml` beside it gives its range."""
    mask: Path | None = None
    """Anything above 0 is a defect."""


def index_parts(root: Path) -> list[PartFile]:
    """Every part under a category's folder or a folder of categories.

    Categories, then train, validation, test, then labels and stems, names in natural order (2 before 10).
    Raises DatasetError where there is no part or where files cannot be paired.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: cannot be listed, expected a folder of parts")
    folders = {path.name for path in folders_in(root)}
    if folders & {*SPLITS, *EYECANDIES_SPLITS}:
        parts = list(category_parts(root, ""))
    else:
        parts = [part for folder in folders_in(root) for part in category_parts(folder, f"{folder.name}/")]
    if not parts:
        raise DatasetError(
            f"{root}: no parts; expected {{train,validation,test}}/<label>/{{rgb,xyz}} (MVTec 3D-AD)"
            " or {train,val,test_public}/data (Eyecandies)"
        )
    return parts


def category_parts(folder: Path, prefix: str) -> Iterator[PartFile]:
    for split in SPLITS:
        for label in folders_in(folder / split):
            for stem, files in mvtec_files(label).items():
                part_id = f"{prefix}{split}/{label.name}/{stem}"
                yield PartFile(
                    part_id, folder.name, split, label.name, files.get("rgb"), files.get("xyz"), mask=files.get("gt")
                )
    for name, split in EYECANDIES_SPLITS.items():
        if (folder / name / "data").is_dir():
            yield from eyecandies_parts(folder, name, split, prefix)


def mvtec_files(label: Path) -> dict[str, dict[str, Path]]:
    """Per stem in natural order: which of `rgb`, `xyz` and `gt` it has. Raises DatasetError for two of a kind."""
    found: dict[str, dict[str, Path]] = {}
    for kind, endings in (("rgb", {".png", ".jpg", ".jpeg"}), ("xyz", {".tiff", ".tif"}), ("gt", {".png"})):
        for path in files_in(label / kind):
            if path.suffix.lower() not in endings:
                continue
            files = found.setdefault(path.stem, {})
            if kind in files:
                raise DatasetError(f"{files[kind]} and {path.name}: two files for one part, expected one")
            files[kind] = path
    for stem, files in found.items():
        if set(files) == {"gt"}:
            raise DatasetError(f"{files['gt']}: a mask of no part, expected {stem} in rgb or xyz beside it")
    return {stem: found[stem] for stem in sorted(found, key=natural)}


def eyecandies_parts(folder: Path, name: str, split: Split, prefix: str) -> list[PartFile]:
    """Good parts before bad ones. Raises DatasetError for a test part without a mask, which says what it is."""
    data = folder / name / "data"
    stems = {
        path.name.removesuffix(ending)
        for path in files_in(data)
        for ending in (f"_{EYECANDIES_LIGHT}.png", "_depth.png")
        if path.name.endswith(ending)
    }
    parts = []
    for stem in sorted(stems, key=natural):

        def existing(item: str, stem: str = stem) -> Path | None:
            path = data / f"{stem}_{item}.png"
            return path if path.is_file() else None

        mask, label = existing("mask") if split == "test" else None, "good"
        if split == "test":
            if mask is None:
                raise DatasetError(f"{data / stem}_mask.png: is not there, expected a mask of every test part")
            label = "bad" if np.asarray(Image.open(mask)).any() else "good"
        part_id = f"{prefix}{split}/{label}/{stem}"
        rgb, depth = existing(EYECANDIES_LIGHT), existing("depth")
        parts.append(PartFile(part_id, folder.name, split, label, rgb, None, depth, mask))
    return sorted(parts, key=lambda part: part.label != "good")


def load_part(part: PartFile) -> Part:
    """Both modalities of a part, prepared for the model. Raises DatasetError where one is absent or of another size."""
    points = part.xyz or part.depth
    if part.rgb is None or points is None:
        raise DatasetError(f"{part.part_id}: has no {'picture' if part.rgb is None else 'points'}, expected both")
    try:
        picture = read_picture(part.rgb)
        point_map = read_point_map(points) if part.xyz else read_depth(points)
    except (OSError, ValueError) as cause:
        raise DatasetError(
            f"{part.part_id}: cannot be read ({cause}), expected {part.rgb.name} and {points.name}"
        ) from cause
    if point_map.ndim != 3 or point_map.shape != picture.shape:
        raise DatasetError(
            f"{points}: points are {list(point_map.shape)}, expected {list(picture.shape)} as the picture"
        )
    return prepare_part(picture, point_map, part.label)


def read_depth(path: Path) -> NDArray[np.float32]:
    """Eyecandies' 16-bit depth [H,W] -> points [H,W,3], camera frame, brought to the size of a hand.

    depth = png / 65535 (max - min) + min, point = depth ((u - W/2) / f, (v - H/2) / f, 1). The dataset's own snippet
    goes on through the camera's pose into the world. A station's points are in the camera's frame: ours stay there, and
    the pose is not read.
    """
    info = path.with_name(path.name.removesuffix("_depth.png") + "_info_depth.yaml")
    low, high = depth_range(info)
    with Image.open(path) as picture:
        raw = np.asarray(picture)
    if raw.ndim != 2 or raw.dtype == np.uint8:
        raise DatasetError(f"{path}: is {raw.dtype} {list(raw.shape)}, expected one channel of 16 bits")
    depth = raw.astype(np.float64) / 65535 * (high - low) + low
    height, width = depth.shape
    v, u = np.mgrid[:height, :width]
    rays = np.stack([(u - width / 2) / EYECANDIES_FOCAL_PIXELS, (v - height / 2) / EYECANDIES_FOCAL_PIXELS, u**0], 2)
    return (rays * depth[..., None] * EYECANDIES_SCALE).astype(np.float32)


def depth_range(info: Path) -> tuple[float, float]:
    """`normalization: {min, max}` of an info_depth.yaml: two numbers do not need a YAML parser."""
    text = info.read_text()
    found = dict(re.findall(r"\b(min|max)\s*:\s*([-+.\deE]+)", text))
    try:
        low, high = float(found["min"]), float(found["max"])
    except (KeyError, ValueError):
        raise DatasetError(f"{info}: says {text[:80]!r}, expected normalization with min and max") from None
    if not 0 <= low < high:
        raise DatasetError(f"{info}: depth from {low} to {high}, expected 0 <= min < max")
    return low, high


def conditions(
    file: Path, parts: Sequence[PartFile], *, kind: MissingKind, rate: float, where: MissingPlace, seed: int
) -> dict[str, Condition]:
    """Of every part, by `part_id`: what a split of MIIAD Bench leaves it with.

    `file` is what `radar-edge bench miiad` writes (models/bench/miiad-split-file.ts); the rest picks one of its splits.
    Raises DatasetError for another file, a split that is not in it, and one that was made for other parts.
    """
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as cause:
        raise DatasetError(f"{file}: cannot be read as JSON ({cause})") from cause
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SPLITS_SCHEMA:
        raise DatasetError(f"{file}: is of schema {schema!r}, expected {SPLITS_SCHEMA!r}")
    wanted = {"kind": kind, "rate": rate, "where": where, "seed": seed}
    split = next((s for s in content["splits"] if all(s[key] == value for key, value in wanted.items())), None)
    if split is None:
        held = "; ".join(" ".join(f"{key} {s[key]}" for key in wanted) for s in content["splits"])
        raise DatasetError(f"{file}: has no split {wanted}, only {held}")
    found: dict[str, str] = split["conditions"]
    ids = {full_part_id(part): part.part_id for part in parts}
    unnamed = [full for full in ids if full not in found]
    if unnamed:
        raise DatasetError(f"{file}: says nothing of {len(unnamed)} of {len(ids)} parts, such as {unnamed[0]!r}")
    categories = {part.category for part in parts}
    unknown = [full for full in found if full.split("/", 1)[0] in categories and full not in ids]
    if unknown:
        raise DatasetError(f"{file}: names {len(unknown)} parts that are not there, such as {unknown[0]!r}")
    named: dict[str, Condition] = {str(condition): condition for condition in CONDITIONS}
    strange = next((full for full in ids if found[full] not in named), None)
    if strange is not None:
        raise DatasetError(f"{file}: {strange} is {found[strange]!r}, expected one of {', '.join(CONDITIONS)}")
    return {part_id: named[found[full]] for full, part_id in ids.items()}


def full_part_id(part: PartFile) -> str:
    """`<category>/<split>/<label>/<stem>`, also of a part that was indexed from its category's own folder."""
    return f"{part.category}/{part.part_id}" if part.part_id.startswith(f"{part.split}/") else part.part_id


def folders_in(folder: Path) -> list[Path]:
    return visible(folder, Path.is_dir)


def files_in(folder: Path) -> list[Path]:
    return visible(folder, Path.is_file)


def visible(folder: Path, kind: Callable[[Path], bool]) -> list[Path]:
    """In natural order; hidden names are the litter of desktops. Nothing where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(
        (p for p in folder.iterdir() if kind(p) and not p.name.startswith(".")), key=lambda p: natural(p.name)
    )


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: numbers by value, letters without case; the name itself breaks ties."""
    pieces = re.split(r"(\d+)", name)
    return [(1, 0, p.lower()) if i % 2 == 0 else (0, int(p), "") for i, p in enumerate(pieces) if p], name
