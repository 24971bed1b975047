"""Prepares a picture and its point map for the model as the device does (numerics 1.3, 1.4).

One simplification against the device, good enough to train and to choose on: the biggest cluster is the biggest
connected region of the 224 x 224 grid instead of DBSCAN's on the full frame. (reference.py takes no such liberty.)
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
BORDER_PIXELS = 10
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
    """Zero-pad to a square of whole hundreds, a square frame too; the top and left get the smaller half."""
    height, width = frame.shape[:2]
    side = max(-(-height // 100), -(-width // 100)) * 100
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


def off_the_table(frame: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Points [H,W,3] of a whole frame -> [H,W]: returns off the plane along the border, if one is there."""
    # A point may lie on an axis: only (0,0,0) is no return.
    valid: NDArray[np.bool_] = (frame != 0).any(2)
    border = valid.copy()
    border[BORDER_PIXELS:-BORDER_PIXELS, BORDER_PIXELS:-BORDER_PIXELS] = False
    if border.sum() < 50:
        return valid
    plane = fit_plane(frame[border], seed=0)
    distance = np.abs(frame @ plane[:3] + plane[3])
    off: NDArray[np.bool_] = valid & (distance >= PLANE_METRES)
    is_table = (distance[border] < INLIER_METRES).mean() >= 0.5 and off.sum() >= 0.05 * valid.sum()
    return off if is_table else valid


def biggest_region(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the connected regions that [224,224] falls into, gaps of a pixel closed, the biggest."""
    labels, count = ndimage.label(ndimage.binary_closing(inside, np.ones((3, 3))))
    if count == 0:
        return inside
    biggest = 1 + int(np.argmax(ndimage.sum(inside, labels, np.arange(1, count + 1))))
    kept: NDArray[np.bool_] = inside & (labels == biggest)
    return kept


def read_picture(path: Path) -> NDArray[np.uint8]:
    """[H,W,3]."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def read_point_map(path: Path) -> NDArray[np.float32]:
    """An xyz tiff as metres [H,W,3]; what is not finite is no return (numerics 10)."""
    points = tifffile.imread(path).astype(np.float32)
    points[~np.isfinite(points).all(-1)] = 0
    return points


def prepare_part(picture: NDArray[np.uint8], point_map: NDArray[np.float32], label: str) -> Part:
    """Picture [H,W,3] and organised points [H,W,3], metres, pixel for pixel -> the model's view of the part."""
    image = Image.fromarray(squared(picture)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    grid = nearest_floor(squared(np.where(off_the_table(point_map)[..., None], point_map, np.float32(0))))
    inside = biggest_region((grid != 0).any(2))
    return Part(np.asarray(image), grid[inside], np.flatnonzero(inside), label)


def read_part(rgb: Path, label: str) -> Part:
    """`.../rgb/NNN.png` and the xyz tiff beside it."""
    tiff = rgb.parent.parent / "xyz" / f"{rgb.stem}.tiff"
    return prepare_part(read_picture(rgb), read_point_map(tiff), label)


def read_parts(folder: Path) -> list[Part]:
    """Every part under one class's split, e.g. `gear/test`; the label is the folder's name."""
    return [read_part(path, path.parent.parent.name) for path in sorted(folder.glob("*/rgb/*.png"))]
