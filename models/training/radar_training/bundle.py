"""Writes a bundle: two graphs, the pseudo-input's features, golden vectors, manifest (models/bundle-manifest.ts)."""

import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from . import xyz_encoder
from .export import export_graph, round_weights, run_graph
from .rgb_encoder import TOKEN_WIDTH, RgbEncoder
from .xyz_encoder import CENTRES, EPSILON, NEIGHBOURS, XyzEncoder

#: Applied to pixel / 255 (numerics 1.4).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
SIZE = 224
PATCHES = 784
#: Between fp32 back ends; the graphs differ from PyTorch by less than 1e-4.
GOLDEN_TOLERANCE = 1e-3


class Provenance(TypedDict):
    licence: str
    training: str
    data: str
    seed: int
    parameters: int


class Golden(TypedDict):
    """Inputs whose answers are stored beside them."""

    image: NDArray[np.float32]
    groups: NDArray[np.float32]
    centres: NDArray[np.float32]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(handle.name, 0o644)
    os.replace(handle.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def write_bundle(
    folder: Path,
    rgb: RgbEncoder,
    xyz: XyzEncoder,
    *,
    golden: Golden,
    rgb_provenance: Provenance,
    xyz_provenance: Provenance,
    name: str,
    version: str,
    measured: dict[str, float | str],
) -> None:
    """Export both encoders (evaluation mode, batch norms folded) and everything that belongs to them."""
    folder.mkdir(parents=True, exist_ok=True)
    for encoder in (rgb, xyz):
        round_weights(encoder)
    export_graph(rgb, {"image": torch.zeros(1, 3, SIZE, SIZE)}, folder / "rgb.onnx")
    shapes = {"groups": torch.zeros(CENTRES, NEIGHBOURS, 3), "centres": torch.zeros(CENTRES, 3)}
    export_graph(xyz, shapes, folder / "xyz.onnx")
    finish_bundle(
        folder,
        golden=golden,
        rgb_width=TOKEN_WIDTH,
        rgb_provenance=rgb_provenance,
        xyz_provenance=xyz_provenance,
        name=name,
        version=version,
        measured=measured,
    )


def finish_bundle(
    folder: Path,
    *,
    golden: Golden,
    rgb_width: int,
    rgb_provenance: Provenance,
    xyz_provenance: Provenance,
    name: str,
    version: str,
    measured: dict[str, float | str],
) -> None:
    """Compute pseudo features and golden answers from the graphs in `folder`; write the manifest last."""
    write_whole(folder / "pseudo.safetensors", save(pseudo_features(folder)))
    answers = {
        "image": golden["image"],
        "rgb_tokens": run_graph(folder / "rgb.onnx", {"image": golden["image"]}),
        "groups": golden["groups"],
        "centres": golden["centres"],
        "xyz_tokens": run_graph(folder / "xyz.onnx", {"groups": golden["groups"], "centres": golden["centres"]}),
    }
    # `save` writes an array's memory as it lies: a transposed view would be stored in the wrong order.
    write_whole(
        folder / "golden.safetensors", save({key: np.ascontiguousarray(value) for key, value in answers.items()})
    )

    def file(name: str) -> dict[str, str]:
        return {"name": name, "sha256": sha256(folder / name)}

    manifest = {
        "schema": "radar-edge/bundle@1",
        "name": name,
        "version": version,
        "createdAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "input": {
            "size": SIZE,
            "rgb": {"mean": MEAN, "std": STD, "resample": "bicubic-antialiased", "masking": "none"},
            "xyz": {
                "units": "metres",
                "resample": "nearest-floor",
                "centres": CENTRES,
                "neighbours": NEIGHBOURS,
                "normalisation": "sample",
                "epsilon": EPSILON,
            },
        },
        "grid": {"rows": 28, "columns": 28},
        "encoders": {
            "rgb": {"file": file("rgb.onnx"), "width": rgb_width, "provenance": rgb_provenance},
            "xyz": {"file": file("xyz.onnx"), "width": xyz_encoder.TOKEN_WIDTH, "provenance": xyz_provenance},
        },
        "instructions": {"complete": 0, "rgb-only": 1, "xyz-only": 2},
        "pseudo": file("pseudo.safetensors"),
        "golden": {**file("golden.safetensors"), "maxAbsoluteError": GOLDEN_TOLERANCE},
        "licence": "Apache-2.0",
        "measured": measured,
    }
    write_whole(folder / "manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())


def pseudo_features(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Features of the all-ones pseudo-input (numerics 5.5): `rgb` [784,width] and `xyz` [784,width].

    The image is one after normalisation. The cloud is one point, (1,1,1), so every centre is it and every offset zero:
    all tokens are equal, and so is every patch.
    """
    image = np.ones((1, 3, SIZE, SIZE), np.float32)
    groups = np.zeros((CENTRES, NEIGHBOURS, 3), np.float32)
    centres = np.ones((CENTRES, 3), np.float32)
    token = run_graph(folder / "xyz.onnx", {"groups": groups, "centres": centres})[0]
    return {
        "rgb": run_graph(folder / "rgb.onnx", {"image": image})[0],
        "xyz": np.tile(token, (PATCHES, 1)),
    }
