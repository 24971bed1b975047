"""Hand-made descriptions of the surface around a point: what the XYZ encoder learns to predict.

Per radius: simplified point feature histograms (three angles, 11 bins each; Rusu 2009 without the second pass),
quantiles of the signed height over the local plane, curvature, and how lopsided the neighbourhood is. All of them stay
the same when the part is turned about the viewing axis.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

RADII_METRES = (0.005, 0.012)
BINS = 11
QUANTILES = (0.03, 0.25, 0.5, 0.75, 0.97)
PER_RADIUS = 3 * BINS + len(QUANTILES) + 4
WIDTH = 1 + PER_RADIUS * len(RADII_METRES)
#: Neighbours looked at per radius; a denser cloud is thinned to about as many.
SAMPLES = 128


def normals(points: NDArray[np.float32], tree: cKDTree, neighbours: int = 16) -> NDArray[np.float32]:
    """Unit normals facing the camera, from the smallest principal axis of each neighbourhood."""
    _, index = tree.query(points, neighbours)
    around = points[index] - points[index].mean(1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
    normal = axes[..., 0]
    return (normal * np.where(normal[:, 2:] > 0, -1, 1)).astype(np.float32)


def thinned(points: NDArray[np.float32], radius: float) -> NDArray[np.int64]:
    """Indices of an even share of the points, so that about SAMPLES of them lie within `radius` on a surface."""
    pitch = float(np.median(cKDTree(points).query(points[:: max(1, len(points) // 500)], 2)[0][:, 1])) + 1e-9
    share = SAMPLES / (np.pi * (radius / pitch) ** 2)
    count = int(np.clip(share * len(points), min(len(points), 4 * SAMPLES), len(points)))
    return np.random.default_rng(0).permutation(len(points))[:count]


def describe(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N,3] and [G,3] in metres -> [G,WIDTH]."""
    points = points[thinned(points, RADII_METRES[0])]
    tree = cKDTree(points)
    normal = normals(points, tree)
    _, at = tree.query(centres)
    parts = [-normal[at, 2:]]
    for radius in RADII_METRES:
        few = thinned(points, radius)
        distance, index = cKDTree(points[few]).query(centres, SAMPLES, distance_upper_bound=radius)
        inside = np.isfinite(distance)
        index = np.where(inside, few[np.where(inside, index, 0)], at[:, None])
        parts.append(around_centre(points[index] - centres[:, None], normal[index], normal[at], inside, radius))
    return np.concatenate(parts, 1).astype(np.float32)


def around_centre(
    offsets: NDArray[np.float32],
    normal: NDArray[np.float32],
    own: NDArray[np.float32],
    inside: NDArray[np.bool_],
    radius: float,
) -> NDArray[np.float32]:
    """offsets and normals [G,S,3], the centres' own normals [G,3], which samples count [G,S] -> [G,PER_RADIUS]."""
    count = inside.sum(1, keepdims=True) + 1e-6
    length = np.linalg.norm(offsets, axis=2) + 1e-9
    direction = offsets / length[..., None]
    # Darboux frame: u the centre's normal, v across the direction, w = u x v.
    u = np.broadcast_to(own[:, None], offsets.shape)
    v = np.cross(direction, u)
    v /= np.linalg.norm(v, axis=2, keepdims=True) + 1e-9
    w = np.cross(u, v)
    angles = (
        np.einsum("gsi,gsi->gs", v, normal),
        np.einsum("gsi,gsi->gs", u, direction),
        np.arctan2(np.einsum("gsi,gsi->gs", w, normal), np.einsum("gsi,gsi->gs", u, normal)) / np.pi,
    )
    histograms = []
    for angle in angles:
        # Most surfaces are nearly flat: the square root spreads the bins where the values are.
        spread = np.sign(angle) * np.sqrt(np.abs(angle))
        place = np.clip((spread + 1) / 2 * BINS, 0, BINS - 1e-3).astype(int)
        one_hot = (place[..., None] == np.arange(BINS)) * inside[..., None]
        histograms.append(np.sqrt(one_hot.sum(1) / count))
    height = np.einsum("gsi,gi->gs", offsets, own)
    quantiles = np.nanquantile(np.where(inside | (np.arange(inside.shape[1]) == 0), height, np.nan), QUANTILES, axis=1)
    middle = (offsets * inside[..., None]).sum(1) / count
    lopsided = np.linalg.norm(middle, axis=1, keepdims=True) / radius
    spread3 = np.linalg.eigvalsh(np.einsum("gsi,gsj,gs->gij", offsets, offsets, inside / count))
    flatness = np.sqrt(np.maximum(spread3, 0) / (spread3.sum(1, keepdims=True) + 1e-12))
    bend = (height * inside).sum(1, keepdims=True) / ((length**2 * inside).sum(1, keepdims=True) + 1e-9) * radius
    packed = [*histograms, quantiles.T / radius * 5, lopsided, flatness[:, :1], flatness[:, 1:2], bend * 3]
    return np.concatenate(packed, 1).astype(np.float32)
