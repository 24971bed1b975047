"""A tiny dataset in MVTec 3D-AD's layout and the encoders' answers to it, made once for all tests that train."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from radar_training.bundle import write_network
from radar_training.datasets import index_parts
from radar_training.rgb_encoder import RgbEncoder, StudentTaps
from radar_training.token_sets import Encoders, write_token_set
from radar_training.xyz_encoder import XyzBackbone, XyzEncoder

SIDE, PARTS = 120, 12
# Two threads add up in an order of their own: a run is repeatable with one, which is also train_fusion's default.
torch.set_num_threads(1)


def write_part(folder: Path, stem: str, rng: np.random.Generator) -> None:
    """A coloured block with a waved top on a table half a metre away."""
    v, u = np.mgrid[:SIDE, :SIDE]
    top = (np.abs(u - rng.uniform(50, 70)) < 35) & (np.abs(v - rng.uniform(50, 70)) < 30)
    z = 0.5 - top * (0.02 + 0.003 * np.sin(u / rng.uniform(3, 9)))
    points = np.stack([(u - 60) * 0.001 + 1e-6, (v - 60) * 0.001 + 1e-6, z], 2).astype(np.float32)
    colour = np.where(top[..., None], rng.integers(80, 255, 3), 60) + 20 * np.sin(v / rng.uniform(2, 8))[..., None]
    for kind in ("rgb", "xyz"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(colour.clip(0, 255).astype(np.uint8)).save(folder / "rgb" / f"{stem}.png")
    tifffile.imwrite(folder / "xyz" / f"{stem}.tiff", points, photometric="minisblack", planarconfig="contig")


def write_random_encoders(folder: Path) -> None:
    """Both encoders with random weights: right shapes, no sense."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    taps = StudentTaps().eval()
    taps.fold()
    write_network(folder, "rgb", RgbEncoder(taps, torch.zeros(128), torch.ones(128)).eval())
    write_network(folder, "xyz", XyzEncoder(XyzBackbone().eval(), torch.zeros(192), torch.ones(192)).eval())


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dataset")
    for index in range(PARTS):
        write_part(root / "block" / "train" / "good", f"{index:03d}", np.random.default_rng(index))
    return root


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders")
    write_random_encoders(folder)
    return folder


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory, dataset: Path, encoders: Path) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    write_token_set(Encoders(encoders), index_parts(dataset), folder, {"block/train/good/000": "rgb-only"})
    return folder
