"""Point tokens -> the 28 x 28 patch grid (numerics 3.3), as the device's token-grid.ts does it."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from .parts import SIZE

GRID = 28
POOLED = SIZE - 2


def windows() -> list[tuple[int, int]]:
    """Adaptive average pooling 222 -> 28: [floor(i n / m), ceil((i + 1) n / m))."""
    return [(i * POOLED // GRID, -(-(i + 1) * POOLED // GRID)) for i in range(GRID)]


@cache
def pooling() -> sparse.csr_matrix:
    """[784, 224*224]: 3 x 3 mean without padding, then the windows' means. One linear map, so it is built once."""
    rows = np.zeros((GRID, SIZE))
    for index, (first, end) in enumerate(windows()):
        for at in range(first, end):
            rows[index, at : at + 3] += 1 / 3 / (end - first)
    axis = sparse.csr_matrix(rows)
    return sparse.csr_matrix(sparse.kron(axis, axis))


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
    places = np.repeat(np.arange(len(points)), 3)
    interpolation = sparse.csr_matrix((weight.ravel(), (places, index.ravel())), (len(points), len(centres)))
    pooled: NDArray[np.float32] = (pooling()[:, raster] @ interpolation @ tokens).astype(np.float32)
    return pooled


def foreground_patches(raster: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[784]: which patches hold a point of the part."""
    inside = np.zeros(GRID * GRID, bool)
    inside[raster // SIZE // 8 * GRID + raster % SIZE // 8] = True
    return inside
