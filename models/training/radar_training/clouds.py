"""Procedural point clouds: stacked and cut solids with dents, bumps and sensor noise, as a 3D camera sees them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .procedural import solid
from .textures import Field, Rng, fractal

GRID = 224
#: The device drops what lies closer to the station's plane, so no cloud shows it.
PLANE_METRES = 0.005


def relief(rng: Rng) -> Field:
    """Height over the plane on the camera's grid, in units of half the view; zero where the plane is bare."""
    y, x = np.mgrid[-1 : 1 : GRID * 1j, -1 : 1 : GRID * 1j].astype(np.float32)
    height = np.zeros((GRID, GRID), np.float32)
    whole = rng.uniform(0.5, 1.0)
    for part in range(int(rng.integers(1, 7))):
        radius = whole * (1 if part == 0 else rng.uniform(0.08, 0.8))
        dx, dy = (0, 0) if part == 0 or rng.random() < 0.4 else rng.uniform(-0.5, 0.5, 2) * whole
        turn = rng.uniform(0, 2 * np.pi)
        u = ((x - dx) * np.cos(turn) - (y - dy) * np.sin(turn)) / radius
        v = ((x - dx) * np.sin(turn) + (y - dy) * np.cos(turn)) / radius
        raw = solid(rng, u, v)
        top = np.minimum(raw, rng.uniform(0.1, 1)) * radius * rng.uniform(0.2, 0.8)
        if part > 0 and rng.random() < 0.4:
            height = np.maximum(height - np.maximum(top, 0) * rng.uniform(0.1, 1), 0)
        else:
            base = height if part > 0 and rng.random() < 0.5 else 0
            height = np.where(raw > 0, np.maximum(height, top + base), height)
    return height.astype(np.float32)


def damaged(rng: Rng, height: Field) -> Field:
    """Smooth dents and bumps, grooves and roughness on the part."""
    on = height > 0.02
    y, x = np.mgrid[-1 : 1 : GRID * 1j, -1 : 1 : GRID * 1j].astype(np.float32)
    for _ in range(int(rng.integers(0, 5))):
        cx, cy = rng.uniform(-0.6, 0.6, 2)
        width = 10 ** rng.uniform(-1.7, -0.6)
        distance = np.hypot(x - cx, y - cy) if rng.random() < 0.7 else np.abs((x - cx) + (y - cy) * rng.normal())
        height = height + rng.choice([-1, 1]) * width * rng.uniform(0.1, 0.8) * np.exp(-((distance / width) ** 2)) * on
    if rng.random() < 0.6:
        height = height + (fractal(rng, GRID) - 0.5) * 10 ** rng.uniform(-2.7, -1.2) * on
    if rng.random() < 0.5:
        height = ndimage.gaussian_filter(height, rng.uniform(0.3, 2.5))
    return np.asarray(height, np.float32)


def draw_cloud(rng: Rng) -> NDArray[np.float32]:
    """One part's points [N,3] in metres, camera frame, at least 1200 of them."""
    while True:
        half_view = rng.uniform(0.03, 0.11)
        distance = rng.uniform(0.3, 0.7)
        height = damaged(rng, relief(rng)) * half_view
        slope = np.hypot(*np.gradient(height, half_view * 2 / GRID))
        z = distance - height
        z = z + rng.normal(0, 10 ** rng.uniform(-4.6, -3.6), z.shape) * (1 + slope)
        column, row = np.meshgrid(np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID))
        points = np.stack([column * half_view * z / distance, row * half_view * z / distance, z], 2)
        lost = (slope > rng.uniform(2, 8)) | (rng.random(z.shape) < rng.uniform(0, 0.05))
        kept = points[(height > PLANE_METRES) & ~lost].astype(np.float32)
        if len(kept) >= 1200:
            tilt = rng.normal(0, 0.04, 2)
            kept[:, 2] += kept[:, :2] @ tilt.astype(np.float32)
            return kept
