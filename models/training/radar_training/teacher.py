"""The teacher: MobileNetV2 trained on ImageNet (Apache-2.0). Only its answers to procedural pictures are used."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor

#: Names of its taps in the ONNX file, finest first.
TAPS = ("feat_56x56x24", "feat_28x28x32", "feat_14x14x96")


class Teacher:
    """Pixels [N,3,224,224] in 0..255 -> taps [N,24,56,56], [N,32,28,28], [N,96,14,14]; other sizes in proportion."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        model = onnx.load(path)
        extractor = onnx.utils.Extractor(model)
        cut = extractor.extract_model(["input"], list(TAPS))
        for value in (*cut.graph.input, *cut.graph.output):
            shape = value.type.tensor_type.shape
            shape.dim[0].dim_param = "batch"
            for axis in (2, 3):
                shape.dim[axis].ClearField("dim_value")
        del cut.graph.value_info[:]
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Its idle threads would otherwise spin on the cores that the student trains on.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(cut.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def taps(self, pixels: Tensor) -> list[Tensor]:
        image = ((pixels - 128) / 128).contiguous().numpy().astype(np.float32)
        return [torch.from_numpy(tap) for tap in self.session.run(list(TAPS), {"input": image})]


class Standardisation:
    """Per channel and tap: (tap - mean) / std over procedural pictures, so that no channel rules the loss."""

    def __init__(self, means: list[Tensor], stds: list[Tensor]) -> None:
        self.means, self.stds = means, stds

    @classmethod
    def measure(cls, taps: list[Tensor]) -> "Standardisation":
        means = [tap.mean((0, 2, 3)) for tap in taps]
        # A channel that is nearly constant on procedural pictures must not be blown up.
        stds = [tap.std((0, 2, 3)).clamp_min(0.05 * float(tap.std())) for tap in taps]
        return cls(means, stds)

    def apply(self, taps: list[Tensor]) -> list[Tensor]:
        return [
            (tap - mean[:, None, None]) / std[:, None, None]
            for tap, mean, std in zip(taps, self.means, self.stds, strict=True)
        ]
