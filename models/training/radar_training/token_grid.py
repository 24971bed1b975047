"""Point tokens -> the 28 x 28 patch grid (numerics 3.3), as the device's token-grid.ts does it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.spatial import cKDTree

from .parts import SIZE

GRID = 28
POOLED = SIZE - 2


def windows() -> list[tuple[int, int]]:
    """Adaptive average pooling 222 -> 28: [floor(i n / m), ceil((i + 1) n / m))."""
    return [(i * POOLED // GRID, -(-(i + 1) * POOLED // GRID)) for i in range(GRID)]


def pool_tokens(
    tokens: NDArray[np.float32],
    centres: NDArray[np.float32],
    points: NDArray[np.float32],
    raster: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Tokens [G,D] at centres [G,3], points [N,3] at raster indices of 224 x 224 -> [784,D]; bare patches are zero."""
    distance, index = cKDTree(centres).query(points, 3)
    weight = 1 / (distance**2 + 1e-8)
    weight /= weight.sum(1, keepdims=True)
    pixels = np.zeros((SIZE * SIZE, tokens.shape[1]), np.float32)
    pixels[raster] = np.einsum("nk,nkd->nd", weight, tokens[index])
    image = pixels.reshape(SIZE, SIZE, -1)
    image = uniform_filter1d(uniform_filter1d(image, 3, axis=0), 3, axis=1)[1:-1, 1:-1]
    rows = np.stack([image[a:b].mean(0) for a, b in windows()])
    return np.stack([rows[:, a:b].mean(1) for a, b in windows()], 1).reshape(GRID * GRID, -1)


def foreground_patches(raster: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[784]: which patches hold a point of the part."""
    inside = np.zeros(GRID * GRID, bool)
    inside[raster // SIZE // 8 * GRID + raster % SIZE // 8] = True
    return inside
