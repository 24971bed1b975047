"""Turns a pool of pictures into endless training crops: random window, mirror, colours, cut and mix.

Pillow's own loops, because they beat torch's grid_sample on a CPU by several times.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIZE = 224
TURNS = (None, *Image.Transpose)


def window(picture: NDArray[np.uint8], rng: np.random.Generator, size: int) -> Image.Image:
    """A random window resized to `size` (antialiased bicubic, as on the device) and turned or mirrored.

    A smaller size cuts a smaller window, so that things keep the scale they have at 224.
    """
    side = picture.shape[0]
    across = side * np.exp(rng.uniform(-0.65, 0)) * size / SIZE
    down = np.clip(across * np.exp(rng.normal(0, 0.1)), side / 6, side)
    left, top = rng.uniform(0, side - across), rng.uniform(0, side - down)
    image = Image.fromarray(picture)
    crop = image.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + across, top + down))
    turn = TURNS[rng.integers(len(TURNS))]
    return crop if turn is None else crop.transpose(turn)


def recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Saturation, white balance, gain, offset and gamma; one in twenty is inverted."""
    saturation = rng.uniform(0, 1.3) ** 0.7
    grey = np.full((3, 3), (1 - saturation) / 3) + np.eye(3) * saturation
    matrix = np.exp(rng.normal(0, 0.08, (3, 1))) * grey
    table = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.3, 0.3)) * np.exp(rng.uniform(-0.5, 0.4))
    table = np.clip(table * 255 + rng.uniform(-25, 25), 0, 255)
    if rng.random() < 0.05:
        table = 255 - table
    coloured = image.convert("RGB", tuple(np.pad(matrix, ((0, 0), (0, 1))).ravel()))
    return coloured.point(np.tile(table, 3).astype(np.uint8).tolist())


def training_crops(pictures: list[NDArray[np.uint8]], rng: np.random.Generator, size: int = SIZE) -> Tensor:
    """uint8 pictures [S,S,3] -> pixel values 0..255, float [N,3,size,size]."""
    crops = np.stack([np.asarray(recoloured(window(picture, rng, size), rng)) for picture in pictures])
    mixed = crops.copy()
    for index in range(len(crops)):
        other = crops[index - 1]
        draw = rng.random()
        if draw < 0.33:  # a rectangle of a neighbour pasted in
            (left, right), (top, bottom) = np.sort(rng.integers(0, size, (2, 2)), 1)
            mixed[index, top:bottom, left:right] = other[top:bottom, left:right]
        elif draw < 0.4:
            blend = Image.blend(Image.fromarray(crops[index]), Image.fromarray(other), rng.uniform(0.2, 0.5))
            mixed[index] = np.asarray(blend)
    return torch.from_numpy(mixed).permute(0, 3, 1, 2).float()
