"""Procedural textures: coloured surfaces without objects. Every function draws from the generator it is given."""

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

Field = NDArray[np.floating]
"""[size,size], about 0..1."""
Picture = NDArray[np.floating]
"""[size,size,3], 0..1."""
Rng = np.random.Generator


def colour(rng: Rng) -> NDArray[np.float32]:
    """One colour: greys, muted and vivid ones all occur, as do near-black and near-white."""
    saturation = rng.choice([0.0, rng.uniform(0, 0.3), rng.uniform(0.3, 1)], p=[0.25, 0.45, 0.3])
    return np.asarray(colorsys.hsv_to_rgb(rng.random(), float(saturation), rng.beta(1.3, 1.0)), np.float32)


def palette(rng: Rng) -> NDArray[np.float32]:
    """A gradient of 2-6 colours as a table [256,3]; half of them stay near one hue, as real materials do."""
    count = int(rng.integers(2, 7))
    if rng.random() < 0.5:
        base, spread = colour(rng), rng.uniform(0.02, 0.35)
        tint = rng.normal(0, 0.3, (count, 3)) + rng.normal(0, 1, (count, 1))
        stops = np.clip(base + spread * tint, 0, 1)
    else:
        stops = np.stack([colour(rng) for _ in range(count)])
    places = np.sort(rng.random(count))
    table = np.stack([np.interp(np.linspace(0, 1, 256), places, stops[:, c]) for c in range(3)], 1)
    return table.astype(np.float32)


def paint(field: NDArray[np.floating], table: NDArray[np.float32]) -> Picture:
    index = np.clip(field * 255, 0, 255).astype(np.uint8)
    painted: Picture = table[index]
    return painted


def spread(field: NDArray[np.floating]) -> Field:
    """Shift and scale to about 0..1: +-2 standard deviations, clipped."""
    scaled = 0.5 + (field - field.mean()) / (4 * field.std() + 1e-6)
    return np.asarray(np.clip(scaled, 0, 1), np.float32)


def grid(rng: Rng, size: int) -> tuple[Field, Field]:
    """Coordinates in about -1..1, rotated and sometimes bent."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    u, v = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    if rng.random() < 0.5:
        bend = rng.uniform(0, 0.4)
        u = u + bend * (fractal(rng, size, exponent=3) - 0.5)
        v = v + bend * (fractal(rng, size, exponent=3) - 0.5)
    return u.astype(np.float32), v.astype(np.float32)


def fractal(rng: Rng, size: int, exponent: float | None = None) -> Field:
    """Noise with a 1/f^exponent spectrum, sometimes stretched along one axis."""
    slope = rng.uniform(0.6, 3.0) if exponent is None else exponent
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    if rng.random() < 0.3:
        fx = fx * rng.uniform(1, 6)
    radius = np.sqrt(fx * fx + fy * fy) + rng.choice([0.5, 2, 8]) / size
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), np.float32)) / radius**slope
    return spread(np.fft.irfft2(spectrum, (size, size)))


def clouds(rng: Rng, size: int) -> Picture:
    return paint(fractal(rng, size), palette(rng))


def camouflage(rng: Rng, size: int) -> Picture:
    """Noise cut into flat levels."""
    levels = int(rng.integers(2, 6))
    return paint(np.floor(fractal(rng, size, rng.uniform(1.2, 2.5)) * levels) / levels, palette(rng))


def marble(rng: Rng, size: int) -> Picture:
    u, _ = grid(rng, size)
    phase = rng.uniform(3, 40) * u + rng.uniform(1, 12) * fractal(rng, size, rng.uniform(1.5, 2.5))
    return paint((0.5 + 0.5 * np.sin(phase)) ** rng.uniform(0.5, 3), palette(rng))


def wood(rng: Rng, size: int) -> Picture:
    u, v = grid(rng, size)
    rings = np.hypot(u - rng.uniform(-3, 3), (v - rng.uniform(-3, 3)) * rng.uniform(0.05, 0.5)) * rng.uniform(4, 25)
    grain = ndimage.gaussian_filter1d(rng.standard_normal((size, size), np.float32), rng.uniform(3, 20), axis=0)
    return paint((rings + grain * rng.uniform(0, 1)) % 1, palette(rng))


def grating(rng: Rng, size: int) -> Picture:
    u, v = grid(rng, size)
    wave = np.sin(u * rng.uniform(5, 120))
    if rng.random() < 0.4:
        wave = wave * np.sin(v * rng.uniform(5, 120))
    if rng.random() < 0.4:
        wave = np.tanh(wave * 6)
    return paint(0.5 + 0.5 * wave, palette(rng))


def tiles(rng: Rng, size: int) -> Picture:
    """Bricks and checkers: cells of their own brightness with joints between."""
    u, v = grid(rng, size)
    rows, columns = rng.uniform(2, 25, 2)
    row = np.floor(v * rows)
    shifted = u * columns + rng.choice([0, 0.5]) * row
    column = np.floor(shifted)
    value = np.modf(np.sin(row * 127.1 + column * 311.7) * 43758.5)[0] * 0.5 + 0.5
    joint = np.minimum(np.abs(shifted - column - 0.5), np.abs(v * rows - row - 0.5) * 1.0)
    edge = np.maximum(np.abs(shifted - column - 0.5), np.abs(v * rows - row - 0.5)) > 0.5 - rng.uniform(0, 0.12)
    if rng.random() < 0.5:
        value = (row + column) % 2
    return paint(np.where(edge, rng.random(), value * 0.8 + 0.2 * joint).astype(np.float32), palette(rng))


def weave(rng: Rng, size: int) -> Picture:
    """Over-and-under threads with shaded profiles."""
    u, v = grid(rng, size)
    count = rng.uniform(5, 45)
    a, b = u * count, v * count * rng.uniform(0.6, 1.5)
    over = (np.floor(a) + np.floor(b) * rng.integers(1, 3)) % 2 < 1
    across, along = np.where(over, a, b) % 1, np.where(over, b, a) % 1
    shade = np.sin(np.pi * across) * (0.6 + 0.4 * np.sin(np.pi * along))
    strands = np.where(over[..., None], colour(rng), colour(rng))
    return np.asarray(strands * (0.25 + 0.9 * shade[..., None]), np.float32)


def cells(rng: Rng, size: int) -> Picture:
    """Voronoi cells: pebbles, foam, cracked ground."""
    points = rng.random((int(10 ** rng.uniform(1, 3.2)), 2)) * size
    rows, columns = np.mgrid[0:size:2, 0:size:2]
    yx = np.stack([rows, columns], -1).reshape(-1, 2)
    distance, index = cKDTree(points).query(yx, k=2)
    half = size // 2
    gap = (distance[:, 1] - distance[:, 0]).reshape(half, half)
    width = np.median(gap) * rng.uniform(0.3, 2) + 1e-3
    shade = np.clip(gap / width, 0, 1) ** rng.uniform(0.3, 1)
    table = palette(rng)
    body = table[rng.integers(0, 256, len(points))][index[:, 0]].reshape(half, half, 3)
    if rng.random() < 0.3:
        body = np.broadcast_to(colour(rng), body.shape)
    joint = colour(rng)
    small = body * shade[..., None] + joint * (1 - shade[..., None])
    return np.asarray(ndimage.zoom(small, (2, 2, 1), order=1), np.float32)


def brushed(rng: Rng, size: int) -> Picture:
    """Brushed or turned metal: noise drawn out along straight or circular tracks."""
    if rng.random() < 0.5:
        lines = ndimage.gaussian_filter1d(rng.standard_normal((size, size), np.float32), rng.uniform(5, 40), axis=1)
    else:
        u, v = grid(rng, size)
        radius = np.hypot(u + rng.uniform(-0.5, 0.5), v + rng.uniform(-0.5, 0.5))
        lines = rng.standard_normal(512).astype(np.float32)[(radius * rng.uniform(60, 160)).astype(int) % 512]
        lines = lines + rng.uniform(0, 3) * np.cos(2 * np.arctan2(v, u) + rng.uniform(0, 6))
    return paint(spread(lines), palette(rng))


def speckle(rng: Rng, size: int) -> Picture:
    """Grains of one size, with or without a threshold: sand, granite, crumb."""
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), np.float32), rng.uniform(0.3, 4))
    field = spread(noise)
    if rng.random() < 0.5:
        field = 1 / (1 + np.exp(-(field - rng.uniform(0.3, 0.8)) * rng.uniform(8, 40)))
    return paint(field, palette(rng))


def dots(rng: Rng, size: int) -> Picture:
    u, v = grid(rng, size)
    count = rng.uniform(3, 30)
    a, b = u * count, v * count
    a = a + rng.choice([0, 0.5]) * (np.floor(b) % 2)
    radius = np.hypot(a % 1 - 0.5, b % 1 - 0.5)
    inside = 1 / (1 + np.exp((radius - rng.uniform(0.15, 0.45)) * 40))
    return np.asarray(colour(rng) * inside[..., None] + colour(rng) * (1 - inside[..., None]), np.float32)


def flat(rng: Rng, size: int) -> Picture:
    """One colour with a slow gradient."""
    u, v = grid(rng, size)
    slope = rng.uniform(-0.3, 0.3) * u + rng.uniform(-0.15, 0.15) * v
    return np.asarray(np.clip(colour(rng) + slope[..., None] * rng.uniform(0.3, 1, 3), 0, 1), np.float32)


def fibres(rng: Rng, size: int) -> Picture:
    """Hundreds of thin strokes: hair, felt, scratches."""
    table = (palette(rng) * 255).astype(int)
    image = Image.new("RGB", (size, size), tuple(table[0]))
    draw = ImageDraw.Draw(image)
    main, wander = rng.uniform(0, np.pi), rng.choice([0.1, 0.5, 3])
    length = rng.uniform(0.05, 0.6) * size
    for _ in range(int(rng.integers(60, 500))):
        x, y = rng.random(2) * size
        angle = main + rng.normal() * wander
        turn = angle + rng.normal() * 0.3
        points = [
            (x, y),
            (x + np.cos(angle) * length / 2, y + np.sin(angle) * length / 2),
            (x + np.cos(angle) * length / 2 + np.cos(turn) * length / 2, y + np.sin(angle) * length),
        ]
        draw.line(points, tuple(table[rng.integers(256)]), int(rng.integers(1, 4)))
    return np.asarray(image, np.float32) / 255


TEXTURES: tuple[Callable[[Rng, int], Picture], ...] = (
    clouds,
    camouflage,
    marble,
    wood,
    grating,
    tiles,
    weave,
    cells,
    brushed,
    speckle,
    dots,
    flat,
    fibres,
)


def texture(rng: Rng, size: int) -> Picture:
    """A random texture, one time in four mixed with a second one."""
    first = TEXTURES[rng.integers(len(TEXTURES))](rng, size)
    if rng.random() < 0.25:
        second = TEXTURES[rng.integers(len(TEXTURES))](rng, size)
        return np.asarray(first + (second - first) * rng.uniform(0.1, 0.5), np.float32)
    return first
