"""The yardstick's graph lays a network's taps out exactly as the student's tokens."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from radar_training.bundle import MEAN, STD
from radar_training.plug_in import tokens_graph
from radar_training.rgb_encoder import RgbEncoder
from radar_training.teacher import TAPS


def network() -> onnx.ModelProto:
    """`input` -> strided averages repeated into the teacher's channel counts; simple enough to redo in torch."""
    nodes, weights, outputs = [], [], []
    for name, stride, channels in zip(TAPS[1:], (8, 16), (32, 96), strict=True):
        kernel = np.random.default_rng(channels).normal(0, 1, (channels, 3, stride, stride)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel / stride, f"{name}.kernel"))
        nodes.append(helper.make_node("Conv", ["input", f"{name}.kernel"], [name], strides=[stride, stride]))
        outputs.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 224 // stride, 224 // stride])
        )
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 224, 224])
    graph = helper.make_graph(nodes, "taps", [given], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


class Taps(torch.nn.Module):
    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self.kernels = [torch.from_numpy(numpy_helper.to_array(w).copy()) for w in model.graph.initializer]

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        pixels = (image * torch.tensor(STD).reshape(3, 1, 1) + torch.tensor(MEAN).reshape(3, 1, 1)) * 255
        return tuple(torch.nn.functional.conv2d((pixels - 128) / 128, k, stride=k.shape[2]) for k in self.kernels)


def test_plugged_tokens_equal_the_students_layout() -> None:
    from onnxruntime import InferenceSession

    model = network()
    mean, std = torch.linspace(-1, 1, 128), torch.linspace(0.5, 2, 128)
    student = RgbEncoder(Taps(model), mean, std)
    plugged = tokens_graph(model, mean.numpy(), student.gain.numpy().ravel())
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    session = InferenceSession(plugged.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(["tokens"], {"image": image.numpy()})[0]
    np.testing.assert_allclose(got, student(image).numpy(), atol=1e-3, rtol=0)
