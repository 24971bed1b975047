"""Procedural pictures: what the RGB encoder learns from instead of photographs.

    python -m radar_training.procedural --out FOLDER --count 8000 --seed 1

writes shards `pictures-SEED-NNN.npy`, uint8 [500,256,256,3]. A shard depends on the seed and its number alone.
"""

import argparse
import io
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

from .textures import Field, Picture, Rng, brushed, cells, colour, flat, fractal, palette, speckle, texture

SIZE = 256
SHARD = 500


def shape_outline(rng: Rng, centre: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """A closed outline: polygon, star, superellipse or wobbling blob."""
    kind = rng.integers(4)
    corners = int(rng.integers(3, 9)) if kind < 2 else 40
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 6)
    stretch, turn = rng.uniform(0.3, 1), rng.uniform(0, np.pi)
    x, y = centre
    radii: Field
    if kind == 0:
        radii = np.ones(corners)
    elif kind == 1:
        radii = rng.uniform(0.4, 1, corners)
    elif kind == 2:
        power = rng.uniform(1, 8)
        radii = (np.abs(np.cos(angles)) ** power + np.abs(np.sin(angles)) ** power) ** (-1 / power)
    else:
        waves = [rng.uniform(0, 0.3) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(1, 6)]
        radii = 1 + np.sum(waves, 0)
    px, py = radii * np.cos(angles), stretch * radii * np.sin(angles)
    return [
        (x + radius * (a * np.cos(turn) - b * np.sin(turn)), y + radius * (a * np.sin(turn) + b * np.cos(turn)))
        for a, b in zip(px, py, strict=True)
    ]


def dead_leaves(rng: Rng, size: int) -> Picture:
    """Overlapping shapes with power-law sizes, filled with colours or textures: edges, corners and occlusions."""
    canvas = Image.fromarray((texture(rng, size) * 255).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    fills = [
        Image.fromarray((texture(rng, size) * 255).clip(0, 255).astype(np.uint8)) for _ in range(rng.integers(1, 4))
    ]
    table = (palette(rng) * 255).astype(int)
    textured = rng.choice([0.0, 0.15, 0.4])
    for _ in range(int(10 ** rng.uniform(0.7, 2.4))):
        radius = size * min(0.4, 0.015 / (rng.random() ** 0.8 + 0.02))
        outline = shape_outline(rng, (rng.random() * size, rng.random() * size), radius)
        if rng.random() < textured:
            mask = Image.new("L", (size, size))
            ImageDraw.Draw(mask).polygon(outline, 255)
            canvas.paste(fills[rng.integers(len(fills))], mask=mask)
        else:
            edge = tuple(table[rng.integers(256)]) if rng.random() < 0.2 else None
            draw.polygon(outline, tuple(table[rng.integers(256)]), edge)
    return np.asarray(canvas, np.float32) / 255


def cables(rng: Rng, size: int) -> Picture:
    """Bent tubes with a shaded profile, single or in bundles, over a background."""
    canvas = Image.fromarray((background(rng, size) * 255).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 12))):
        start, end, pull = rng.random((3, 2)) * size * 1.4 - 0.2 * size
        t = np.linspace(0, 1, 24)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * pull + t**2 * end
        width, base = rng.uniform(2, 40), colour(rng) * 255
        steps = int(np.clip(width / 2, 2, 10))
        for step in range(steps):
            rest = 1 - step / steps
            light = 0.35 + 0.65 * np.sqrt(1 - rest**2) if steps > 2 else 1.0
            gloss = 255 * rng.uniform(0.2, 0.9) * (step == steps - 1) * (rng.random() < 0.5)
            offset = np.array([-1, -1]) * width * 0.12 * (1 - rest)
            shade = tuple(int(c) for c in np.clip(base * light + gloss, 0, 255))
            draw.line([tuple(p) for p in curve + offset], shade, max(1, int(width * rest)), joint="curve")
    return np.asarray(canvas, np.float32) / 255


def print_(rng: Rng, size: int) -> Picture:
    """Text, rules and boxes on a ground: labels, boards, packaging."""
    canvas = Image.fromarray((background(rng, size) * 255).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    inks = [tuple(int(c * 255) for c in colour(rng)) for _ in range(3)]
    for _ in range(int(rng.integers(3, 40))):
        x, y = rng.random(2) * size
        ink = inks[rng.integers(3)]
        match rng.integers(5):
            case 0 | 1:
                text = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(1, 12)))
                draw.text((x - size / 4, y), text, ink, ImageFont.load_default(float(rng.integers(7, 70))))
            case 2:
                w, h = rng.random(2) * size * 0.4
                draw.rectangle((x, y, x + w, y + h), *rng.permutation(np.array([ink, None], object)))
            case 3:
                r = rng.random() * size * 0.2
                draw.ellipse((x - r, y - r, x + r, y + r), None, ink, int(rng.integers(1, 8)))
            case _:
                for k in range(int(rng.integers(1, 14))):
                    at = x + k * rng.uniform(2, 10)
                    draw.line((at, y, at, y + size * 0.2), ink, int(rng.integers(1, 5)))
    turned = canvas.rotate(float(rng.uniform(-180, 180)), Image.Resampling.BILINEAR, fillcolor=inks[0])
    return np.asarray(turned if rng.random() < 0.5 else canvas, np.float32) / 255


def background(rng: Rng, size: int) -> Picture:
    """What an object lies on: often plain or dark, sometimes busy."""
    ground = rng.random()
    if ground < 0.35:
        return flat(rng, size) * rng.uniform(0, 0.4)
    if ground < 0.6:
        return flat(rng, size)
    if ground < 0.8:
        return np.asarray(flat(rng, size) * (0.8 + 0.4 * speckle(rng, size)), np.float32)
    return texture(rng, size)


def solid(rng: Rng, x: Field, y: Field) -> Field:
    """The height of one primitive around the origin, in units of its radius; negative outside."""
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    match rng.integers(9):
        case 0:  # disc with a rounded rim
            return (1 - r) * rng.uniform(2, 8)
        case 1:  # dome
            return np.asarray(np.where(r < 1, np.sqrt(np.maximum(1 - r * r, 0)), 1 - r), np.float32)
        case 2:  # ring
            inner = rng.uniform(0.2, 0.8)
            return np.minimum(1 - r, r - inner) * rng.uniform(2, 6)
        case 3:  # prism with n flanks
            n = rng.integers(3, 9)
            flank = r * np.cos((angle + np.pi / n) % (2 * np.pi / n) - np.pi / n)
            return (0.85 - flank) * rng.uniform(2, 8)
        case 4:  # box
            half = rng.uniform(0.2, 0.9)
            return np.minimum(0.9 - np.abs(x), half - np.abs(y)) * rng.uniform(1, 8)
        case 5:  # lying cylinder
            radius = rng.uniform(0.15, 0.7)
            profile = np.sqrt(np.maximum(radius * radius - y * y, 0)) - (np.abs(y) > radius)
            return np.asarray(np.where(np.abs(x) < 1, profile, -1), np.float32)
        case 6:  # threaded cylinder
            radius, pitch = rng.uniform(0.2, 0.6), rng.uniform(20, 90)
            worn = radius + 0.03 * np.sin(x * pitch + 2 * y / radius)
            profile = np.sqrt(np.maximum(worn * worn - y * y, 0)) - (np.abs(y) > worn)
            return np.asarray(np.where(np.abs(x) < 1, profile, -1), np.float32)
        case 7:  # gear or cap with a milled edge
            teeth = rng.integers(6, 60)
            rim = 0.9 + rng.uniform(0.02, 0.12) * np.tanh(3 * np.sin(teeth * angle))
            return (rim - r) * rng.uniform(3, 10)
        case _:  # potato
            wobble = sum(rng.uniform(0, 0.15) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 6))
            edge = 0.8 + wobble
            return np.asarray(np.sqrt(np.maximum(1 - (r / edge) ** 2, 0)) - (r > edge), np.float32)


def object_on_ground(rng: Rng, size: int) -> Picture:
    """One or more solids made of stacked and cut primitives, lit by one or two lamps: shading, gloss, shadow."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    height = np.zeros((size, size), np.float32)
    albedo = background(rng, size)
    metal = np.zeros((size, size), np.float32)
    crowd = rng.choice([1, 1, 2, 4, 15])
    for _ in range(crowd):
        scale = rng.uniform(0.45, 1.1) / crowd**0.5
        cx, cy = rng.uniform(-0.3, 0.3, 2) if crowd == 1 else rng.uniform(-1, 1, 2)
        ground = height * 0
        for part in range(int(rng.integers(1, 6))):
            turn, size_here = rng.uniform(0, 2 * np.pi), scale * (1 if part == 0 else rng.uniform(0.1, 0.8))
            dx, dy = (0, 0) if rng.random() < 0.6 else rng.uniform(-0.5, 0.5, 2) * scale
            u = ((x - cx - dx) * np.cos(turn) - (y - cy - dy) * np.sin(turn)) / size_here
            v = ((x - cx - dx) * np.sin(turn) + (y - cy - dy) * np.cos(turn)) / size_here
            raw = solid(rng, u, v)
            inside = np.clip(raw * 30 * size_here + 0.5, 0, 1)
            top = np.minimum(raw, rng.uniform(0.2, 1.2)) * size_here * rng.uniform(0.3, 1)
            if part > 0 and rng.random() < 0.35:
                ground = np.maximum(ground - np.maximum(top, 0), 0)
            else:
                ground = np.where(raw > 0, np.maximum(ground, top + (ground if rng.random() < 0.5 else 0)), ground)
            if part == 0 or rng.random() < 0.5:
                kind = rng.integers(4)
                paint_ = flat(rng, size) if kind < 2 else brushed(rng, size) if kind == 2 else texture(rng, size)
                albedo = albedo + (paint_ - albedo) * inside[..., None]
                metal = metal + (rng.choice([0, 0, 1]) * rng.random() - metal) * inside
        height = np.where(ground > 0, np.maximum(height, ground), height)
    height = ndimage.gaussian_filter(height, rng.uniform(0.4, 2))
    if rng.random() < 0.6:
        height = height + (fractal(rng, size) - 0.5) * 10 ** rng.uniform(-3, -1.3) * (height > 0.01)
    return shade(rng, height.astype(np.float32), albedo, metal)


def shade(rng: Rng, height: Field, albedo: Picture, metal: Field) -> Picture:
    size = height.shape[0]
    gy, gx = np.gradient(height * size / 2)
    norm = np.sqrt(gx * gx + gy * gy + 1)
    nx, ny, nz = -gx / norm, -gy / norm, 1 / norm
    ambient = rng.uniform(0.1, 0.6)
    light = np.full((size, size), ambient, np.float32)
    gloss = np.zeros((size, size), np.float32)
    sharpness = 10 ** rng.uniform(0.5, 2.2)
    for _ in range(int(rng.integers(1, 3))):
        turn, climb = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.4)
        lx, ly, lz = np.cos(climb) * np.cos(turn), np.cos(climb) * np.sin(turn), np.sin(climb)
        strength = rng.uniform(0.3, 1)
        light += strength * np.maximum(nx * lx + ny * ly + nz * lz, 0)
        hx, hy, hz = np.array([lx, ly, lz + 1]) / np.sqrt(lx**2 + ly**2 + (lz + 1) ** 2)
        gloss += strength * np.maximum(nx * hx + ny * hy + nz * hz, 0) ** sharpness
        reach = size * rng.uniform(0.02, 0.12)
        shadow = ndimage.shift(height, (-ly * reach, -lx * reach), order=1) - height
        light *= 1 - rng.uniform(0, 0.6) * np.clip(ndimage.gaussian_filter(shadow, 1.5) * 5, 0, 1)
    hollow = np.clip((ndimage.gaussian_filter(height, size * 0.03) - height) * 4, 0, 0.6)
    colour_of_gloss = 1 + (albedo - 1) * metal[..., None]
    lit = albedo * (light * (1 - hollow))[..., None]
    return np.asarray(lit + colour_of_gloss * (gloss * rng.uniform(0, 0.9))[..., None], np.float32)


def collage(rng: Rng, size: int) -> Picture:
    """Two pictures joined along a noise contour or a straight edge."""
    first, second = picture_of(rng, size), picture_of(rng, size)
    if rng.random() < 0.5:
        field = fractal(rng, size, rng.uniform(1.5, 3)) - rng.uniform(0.3, 0.7)
    else:
        y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        turn = rng.uniform(0, 2 * np.pi)
        field = x * np.cos(turn) + y * np.sin(turn) + rng.uniform(-0.5, 0.5)
    mask = 1 / (1 + np.exp(-np.clip(field * 10 ** rng.uniform(1, 2.3), -30, 30)))
    return np.asarray(first + (second - first) * mask[..., None], np.float32)


def pebbles(rng: Rng, size: int) -> Picture:
    """Cells lit as a relief."""
    body = cells(rng, size)
    height = ndimage.gaussian_filter(body.mean(2), rng.uniform(0.5, 3)) * rng.uniform(0.02, 0.2)
    return shade(rng, height.astype(np.float32), body, np.zeros((size, size), np.float32))


FAMILIES = (
    (texture, 0.2),
    (dead_leaves, 0.2),
    (cables, 0.1),
    (print_, 0.08),
    (object_on_ground, 0.37),
    (pebbles, 0.05),
)


def picture_of(rng: Rng, size: int) -> Picture:
    index = rng.choice(len(FAMILIES), p=[weight for _, weight in FAMILIES])
    return FAMILIES[index][0](rng, size)


def developed(rng: Rng, picture: Picture) -> NDArray[np.uint8]:
    """Exposure, haze, blur, noise and JPEG: what a camera adds."""
    low, high = np.percentile(picture[::4, ::4], [1, 99])
    if rng.random() < 0.5:
        picture = (picture - low * rng.random()) / max(high - low * rng.random(), 0.1)
    picture = np.clip(picture * rng.uniform(0.7, 1.2), 0, 1) ** rng.uniform(0.6, 1.5)
    image = Image.fromarray((picture * 255).astype(np.uint8))
    match rng.integers(6):
        case 0:
            image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 2))))
        case 1:
            image = image.filter(ImageFilter.UnsharpMask(2, int(rng.integers(50, 200)), 0))
        case 2:
            grain = rng.normal(0, rng.uniform(2, 14), (*picture.shape[:2], 1 if rng.random() < 0.5 else 3))
            image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
        case 3:
            packed = io.BytesIO()
            image.save(packed, "JPEG", quality=int(rng.integers(15, 90)))
            image = Image.open(packed)
        case _:
            pass
    return np.asarray(image)


def draw_picture(rng: Rng, size: int = SIZE) -> NDArray[np.uint8]:
    """One picture, uint8 [size,size,3]."""
    return developed(rng, collage(rng, size) if rng.random() < 0.08 else picture_of(rng, size))


def write_shard(folder: Path, seed: int, shard: int) -> Path:
    rng = np.random.default_rng([seed, shard])
    path = folder / f"pictures-{seed}-{shard:03d}.npy"
    pictures = np.stack([draw_picture(rng) for _ in range(SHARD)])
    with open(path.with_suffix(".part"), "wb") as handle:
        np.save(handle, pictures)
    path.with_suffix(".part").replace(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shards = range(-(-args.count // SHARD))
    with ProcessPoolExecutor(args.processes) as pool:
        for path in pool.map(write_shard, [args.out] * len(shards), [args.seed] * len(shards), shards):
            print(path.name, flush=True)


if __name__ == "__main__":
    main()
