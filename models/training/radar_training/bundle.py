"""Writes a bundle: three graphs, the pseudo-input's features, golden vectors, manifest (models/bundle-manifest.ts)."""

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
from torch import Tensor, nn

from .export import export_graph, input_shape, open_graph, round_weights, run_graph
from .fusion import CONDITIONS
from .sample_norm import EPSILON
from .xyz_encoder import CENTRES, NEIGHBOURS

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
    xyz_patches: NDArray[np.float32]


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


def write_network(folder: Path, part: str, network: nn.Module) -> None:
    """Export one network in evaluation mode as `part`.onnx. The fusion comes last: its widths are the encoders'."""
    inputs: dict[str, Tensor]
    if part == "rgb":
        inputs = {"image": torch.zeros(1, 3, SIZE, SIZE)}
    elif part == "xyz":
        inputs = {"groups": torch.zeros(CENTRES, NEIGHBOURS, 3), "centres": torch.zeros(CENTRES, 3)}
    else:
        widths = {name: output_width(folder / f"{name}.onnx") for name in ("rgb", "xyz")}
        inputs = {name: torch.zeros(PATCHES, width) for name, width in widths.items()}
        inputs["condition"] = torch.zeros(1, dtype=torch.int64)
    round_weights(network)
    export_graph(network, inputs, folder / f"{part}.onnx")


def output_width(path: Path) -> int:
    """Width of a graph's tokens."""
    (tokens,) = open_graph(path).get_outputs()
    return int(tokens.shape[-1])


def finish_bundle(
    folder: Path,
    *,
    golden: Golden,
    provenance: dict[str, Provenance],
    name: str,
    version: str,
    measured: dict[str, float | str],
) -> None:
    """Compute pseudo features and golden answers from the graphs in `folder`; write the manifest last."""
    pseudo = pseudo_features(folder)
    write_whole(folder / "pseudo.safetensors", save(pseudo))
    rgb_tokens = run_graph(folder / "rgb.onnx", {"image": golden["image"]})
    answers: dict[str, NDArray[np.float32]] = {
        **golden,  # type: ignore[dict-item]
        "rgb_tokens": rgb_tokens,
        "xyz_tokens": run_graph(folder / "xyz.onnx", {"groups": golden["groups"], "centres": golden["centres"]}),
        "fused": fused_answers(folder / "fusion.onnx", rgb_tokens[0], golden["xyz_patches"], pseudo),
    }
    # `save` writes an array's memory as it lies: a transposed view would be stored in the wrong order.
    write_whole(
        folder / "golden.safetensors", save({key: np.ascontiguousarray(value) for key, value in answers.items()})
    )

    def file(name: str) -> dict[str, str]:
        return {"name": name, "sha256": sha256(folder / name)}

    def network(part: str) -> dict[str, object]:
        path = folder / f"{part}.onnx"
        return {"file": file(path.name), "width": output_width(path), "provenance": provenance[part]}

    centres, neighbours, _ = input_shape(open_graph(folder / "xyz.onnx"), "groups")
    manifest = {
        "schema": "radar-edge/bundle@2",
        "name": name,
        "version": version,
        "createdAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "input": {
            "size": SIZE,
            "rgb": {"mean": MEAN, "std": STD, "resample": "bicubic-antialiased", "masking": "none"},
            "xyz": {
                "units": "metres",
                "resample": "nearest-floor",
                "centres": centres,
                "neighbours": neighbours,
                "normalisation": "sample",
                "epsilon": EPSILON,
            },
        },
        "grid": {"rows": 28, "columns": 28},
        "encoders": {"rgb": network("rgb"), "xyz": network("xyz")},
        "fusion": network("fusion"),
        "instructions": {condition: index for index, condition in enumerate(CONDITIONS)},
        "pseudo": file("pseudo.safetensors"),
        "golden": {**file("golden.safetensors"), "maxAbsoluteError": GOLDEN_TOLERANCE},
        "licence": "Apache-2.0",
        "measured": measured,
    }
    write_whole(folder / "manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())


def fused_answers(
    graph: Path, rgb: NDArray[np.float32], xyz: NDArray[np.float32], pseudo: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """G_hat [3,784,F]: one sample in every condition, the pseudo-feature standing in for what is missing."""
    answers = []
    for index, condition in enumerate(CONDITIONS):
        feeds: dict[str, NDArray[np.generic]] = {
            "rgb": pseudo["rgb"] if condition == "xyz-only" else rgb,
            "xyz": pseudo["xyz"] if condition == "rgb-only" else xyz,
            "condition": np.array([index], np.int64),
        }
        answers.append(run_graph(graph, feeds))
    return np.stack(answers)


def pseudo_features(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Features of the all-ones pseudo-input (numerics 5.5): `rgb` [784,width] and `xyz` [784,width].

    The image is one after normalisation. The cloud is one point, (1,1,1), so every centre is it and every offset zero:
    all tokens are equal, and so is every patch.
    """
    xyz = open_graph(folder / "xyz.onnx")
    groups = np.zeros(input_shape(xyz, "groups"), np.float32)
    centres = np.ones(input_shape(xyz, "centres"), np.float32)
    token = xyz.run(["tokens"], {"groups": groups, "centres": centres})[0][0]
    return {
        "rgb": run_graph(folder / "rgb.onnx", {"image": np.ones((1, 3, SIZE, SIZE), np.float32)})[0],
        "xyz": np.tile(token, (PATCHES, 1)),
    }
