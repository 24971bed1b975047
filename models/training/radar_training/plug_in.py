"""Wraps a network with MobileNetV2's taps as the RGB encoder of a bundle: the yardstick of `bench anomaly`.

    python -m radar_training.plug_in --onnx mobilenet.onnx --bundle models/bundles/radar-lite --out FOLDER

The network keeps its weights and its opset; the graph around it turns the bundle's normalisation into the network's
(rgb - 128) / 128 and lays the taps out as tokens exactly as rgb_encoder.py does. Every other file is the bundle's own.
"""

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from .build import reference_pixels, spread_of
from .bundle import MEAN, SIZE, STD, Golden, finish_bundle
from .rgb_encoder import GRID, TOKEN_WIDTH, balance, patch_features
from .teacher import TAPS, Teacher


def tokens_graph(network: onnx.ModelProto, mean: NDArray[np.float32], gain: NDArray[np.float32]) -> onnx.ModelProto:
    """`input` -> taps becomes `image` [1,3,224,224] -> `tokens` [1,784,128]."""
    inner = onnx.utils.Extractor(network).extract_model(["input"], list(TAPS[1:]))
    scale = np.array(STD, np.float32).reshape(1, 3, 1, 1) * 255 / 128
    shift = (np.array(MEAN, np.float32).reshape(1, 3, 1, 1) * 255 - 128) / 128
    constants: dict[str, NDArray[np.generic]] = {
        "plug.scale": scale,
        "plug.shift": shift,
        "plug.sizes": np.array([1, 96, GRID, GRID], np.int64),
        "plug.shape": np.array([1, TOKEN_WIDTH, GRID * GRID], np.int64),
        "plug.mean": mean.reshape(1, 1, -1),
        "plug.gain": gain.reshape(1, 1, -1),
    }
    average: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "count_include_pad": 0}
    upsample: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    before = [
        helper.make_node("Mul", ["image", "plug.scale"], ["plug.scaled"]),
        helper.make_node("Add", ["plug.scaled", "plug.shift"], ["input"]),
    ]
    after = [
        helper.make_node("AveragePool", [TAPS[1]], ["plug.fine"], **average),
        helper.make_node("AveragePool", [TAPS[2]], ["plug.coarse"], **average),
        helper.make_node("Resize", ["plug.coarse", "", "", "plug.sizes"], ["plug.upsampled"], **upsample),
        helper.make_node("Concat", ["plug.fine", "plug.upsampled"], ["plug.features"], axis=1),
        helper.make_node("Reshape", ["plug.features", "plug.shape"], ["plug.flat"]),
        helper.make_node("Transpose", ["plug.flat"], ["plug.patches"], perm=[0, 2, 1]),
        helper.make_node("Sub", ["plug.patches", "plug.mean"], ["plug.centred"]),
        helper.make_node("Mul", ["plug.centred", "plug.gain"], ["tokens"]),
    ]
    graph = helper.make_graph(
        [*before, *inner.graph.node, *after],
        "plugged-in",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [1, GRID * GRID, TOKEN_WIDTH])],
        [*inner.graph.initializer, *(numpy_helper.from_array(value, name) for name, value in constants.items())],
    )
    model = helper.make_model(graph, opset_imports=inner.opset_import, ir_version=inner.ir_version)
    onnx.checker.check_model(model, full_check=True)
    return model


def plug_in(network: Path, bundle: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(network)
    features = [patch_features(*teacher.taps(chunk)[1:]) for chunk in reference_pixels().split(8)]
    mean, std = spread_of(torch.cat(features).permute(0, 2, 3, 1))
    gain = balance() / std
    onnx.save(tokens_graph(onnx.load(network), mean.numpy(), gain.numpy()), out / "rgb.onnx")
    for name in ("xyz.onnx", "fusion.onnx"):
        # The network is the teacher whose tokens the bundle's encoder imitates: the fusion takes both.
        shutil.copyfile(bundle / name, out / name)
    manifest = json.loads((bundle / "manifest.json").read_text())
    stored = load_file(bundle / manifest["golden"]["name"])
    golden: Golden = {name: stored[name] for name in Golden.__annotations__}  # type: ignore[assignment]
    weights = sum(int(np.prod(w.dims)) for w in onnx.load(out / "rgb.onnx").graph.initializer)
    finish_bundle(
        out,
        golden=golden,
        provenance={
            "rgb": {
                "licence": "as the plugged-in file's",
                "training": f"{network.name}, plugged in as it is",
                "data": "as the plugged-in file's",
                "seed": 0,
                "parameters": weights,
            },
            "xyz": manifest["encoders"]["xyz"]["provenance"],
            "fusion": manifest["fusion"]["provenance"],
        },
        name="plugged-" + re.sub(r"[^a-z0-9]+", "-", network.stem.lower()).strip("-"),
        version=manifest["version"],
        measured={},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--onnx", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    plug_in(args.onnx, args.bundle, args.out)


if __name__ == "__main__":
    main()
