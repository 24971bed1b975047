"""PyTorch modules -> ONNX opset 17 with fixed shapes, large weights stored as fp16."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17
#: Smaller constants (biases, statistics) stay fp32; they weigh nothing.
HALVED_FROM_ELEMENTS = 1024


def round_weights(module: nn.Module) -> None:
    """Round every large weight to fp16's values, in place, so that storing them as fp16 loses nothing."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() >= HALVED_FROM_ELEMENTS:
                parameter.copy_(parameter.half().float())


def export_graph(module: nn.Module, inputs: dict[str, Tensor], path: Path, halved: bool = True) -> None:
    """Write `module(*inputs.values())` as a graph with those input names and the output `tokens`.

    `halved` stores weights as fp16 that it holds exactly; without it the graph has no Cast.
    """
    with warnings.catch_warnings():
        # The TorchScript exporter writes opset 17 as asked; the newer one converts down from 18.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            str(path),
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["tokens"],
            dynamo=False,
        )
    model = onnx.load(path)
    if halved:
        halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large fp32 weights that fp16 holds exactly as fp16 and a Cast, which the runtime folds when it loads."""
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < HALVED_FROM_ELEMENTS:
            continue
        halved = values.astype(np.float16)
        if not np.array_equal(halved.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(halved, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def open_graph(path: Path, threads: int = 2) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def input_shape(session: ort.InferenceSession, name: str) -> list[int]:
    """The fixed shape of one input."""
    (shape,) = (value.shape for value in session.get_inputs() if value.name == name)
    return [int(side) for side in shape]


def run_graph(path: Path, inputs: Mapping[str, NDArray[np.generic]], threads: int = 2) -> NDArray[np.float32]:
    """The graph's `tokens` for one set of inputs, on the CPU."""
    tokens: NDArray[np.float32] = open_graph(path, threads).run(["tokens"], dict(inputs))[0]
    return tokens
