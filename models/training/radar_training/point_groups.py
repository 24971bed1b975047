"""Farthest point sampling and neighbour groups (numerics 3.1): for training, and an oracle of the device's kernels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .xyz_encoder import CENTRES, NEIGHBOURS

Points = NDArray[np.float32]
"""[N,3], metres."""


class Groups(NamedTuple):
    groups: Points
    """[G,K,3]: neighbour minus centre, nearest first."""
    centres: Points
    """[G,3]."""


def farthest_points(points: Points, count: int) -> NDArray[np.int64]:
    """Indices of `count` centres, the first point first; ties go to the lowest index."""
    chosen = np.zeros(count, np.int64)
    nearest = np.full(len(points), np.inf, np.float32)
    columns = np.ascontiguousarray(points.T)
    for index in range(1, count):
        offset = columns - columns[:, chosen[index - 1], None]
        np.minimum(nearest, np.einsum("cn,cn->n", offset, offset), out=nearest)
        chosen[index] = nearest.argmax()
    return chosen


def group_points(points: Points, centres: int = CENTRES, neighbours: int = NEIGHBOURS) -> Groups:
    chosen = points[farthest_points(points, centres)]
    _, index = cKDTree(points).query(chosen, neighbours)
    return Groups(points[index] - chosen[:, None], chosen)
