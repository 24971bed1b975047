"""Reads parts in MVTec 3D-AD's layout and prepares them as the device does (numerics 1.3, 1.4).

One simplification against the device, good enough to train and to choose on: the biggest cluster is the biggest
connected region of the 224 x 224 grid instead of DBSCAN's on the full frame.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIZE = 224
Pixel = TypeVar("Pixel", np.uint8, np.float32)
PLANE_METRES = 0.005
INLIER_METRES = 0.004


@dataclass(frozen=True)
class Part:
    pixels: NDArray[np.uint8]
    """[224,224,3]."""
    points: NDArray[np.float32]
    """[N,3], metres: the part without its background, raster order."""
    raster: NDArray[np.int64]
    """Raster index of each point in the 224 x 224 input."""
    label: str


def squared(frame: NDArray[Pixel]) -> NDArray[Pixel]:
    """Zero-pad to a square; the top and left get the smaller half."""
    height, width = frame.shape[:2]
    side = max(-(-height // 100), -(-width // 100)) * 100 if height != width else height
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(frame, ((top, side - height - top), (left, side - width - left), (0, 0)))


def nearest_floor(frame: NDArray[Pixel]) -> NDArray[Pixel]:
    index = np.arange(SIZE) * frame.shape[0] // SIZE
    return np.ascontiguousarray(frame[index][:, index])


def fit_plane(points: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """(a,b,c,d) by RANSAC over three-point samples and one least-squares refit."""
    rng = np.random.default_rng(seed)
    cloud = points.astype(np.float64)
    best, most = np.zeros(4), -1
    for _ in range(200):
        a, b, c = cloud[rng.choice(len(cloud), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length < 1e-12:
            continue
        normal /= length
        inside = int((np.abs((cloud - a) @ normal) < INLIER_METRES).sum())
        if inside > most:
            most, best = inside, np.array([*normal, -normal @ a])
    near = cloud[np.abs(cloud @ best[:3] + best[3]) < INLIER_METRES]
    middle = near.mean(0)
    normal = np.linalg.svd(near - middle, full_matrices=False)[2][2]
    return np.array([*normal, -normal @ middle])


def foreground(grid: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[224,224,3] -> where the part is: off the plane, biggest connected region."""
    valid: NDArray[np.bool_] = (grid != 0).all(2)
    border = valid.copy()
    border[6:-6, 6:-6] = False
    if border.sum() < 50:
        return valid
    plane = fit_plane(grid[border], seed=0)
    off: NDArray[np.bool_] = valid & (np.abs(grid @ plane[:3] + plane[3]) >= PLANE_METRES)
    labels, count = ndimage.label(ndimage.binary_closing(off, np.ones((3, 3))))
    if count == 0:
        return off
    biggest = 1 + int(np.argmax(ndimage.sum(off, labels, np.arange(1, count + 1))))
    kept: NDArray[np.bool_] = off & (labels == biggest)
    return kept


def read_part(rgb: Path, label: str) -> Part:
    """`.../rgb/NNN.png` and the xyz tiff beside it."""
    picture = squared(np.asarray(Image.open(rgb).convert("RGB")))
    image = Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    tiff = rgb.parent.parent / "xyz" / f"{rgb.stem}.tiff"
    grid = nearest_floor(squared(tifffile.imread(tiff).astype(np.float32)))
    inside = foreground(grid)
    return Part(np.asarray(image), grid[inside], np.flatnonzero(inside), label)


def read_parts(folder: Path) -> list[Part]:
    """Every part under one class's split, e.g. `gear/test`; the label is the folder's name."""
    return [read_part(path, path.parent.parent.name) for path in sorted(folder.glob("*/rgb/*.png"))]
