"""Writes the two graphs of models/graphs: the bank search and the bare MatMul that it is measured against.

Usage: python models/training/export_nearest.py   (needs onnx; writes next to itself, into ../graphs)

nearest.onnx finds, for each query, the 4 bank rows with the smallest |bank|^2 - 2 query.bank, which orders rows as the
squared Euclidean distance does. The bank is an input, so that a repository can grow without a new graph; every axis is
dynamic. K is a constant because TensorRT's TopK wants one. A bank norm of 3e38 excludes its row.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

OPSET = 17
NEIGHBOURS = 4


def nearest() -> onnx.ModelProto:
    """Gemm + TopK; ``values`` are squared distances short of the query's own squared norm."""
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["queries", "bank", "bank_norms"], ["partial"], alpha=-2.0, transB=1),
            helper.make_node("TopK", ["partial", "k"], ["values", "indices"], axis=1, largest=0, sorted=1),
        ],
        "nearest",
        [
            helper.make_tensor_value_info("queries", TensorProto.FLOAT, ["Q", "D"]),
            helper.make_tensor_value_info("bank", TensorProto.FLOAT, ["N", "D"]),
            helper.make_tensor_value_info("bank_norms", TensorProto.FLOAT, [1, "N"]),
        ],
        [
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["Q", NEIGHBOURS]),
            helper.make_tensor_value_info("indices", TensorProto.INT64, ["Q", NEIGHBOURS]),
        ],
        [helper.make_tensor("k", TensorProto.INT64, [1], [NEIGHBOURS])],
    )
    return finished(graph)


def bare_matmul() -> onnx.ModelProto:
    """The floor under any exact search: one MatMul, nothing else."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["product"])],
        "matmul",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["M", "K"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["K", "N"]),
        ],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, ["M", "N"])],
    )
    return finished(graph)


def finished(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A checked model; IR version 8 is the oldest that opset 17 allows and every runtime here reads."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    model.producer_name = "radar-edge"
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    folder = Path(__file__).resolve().parent.parent / "graphs"
    folder.mkdir(exist_ok=True)
    onnx.save(nearest(), str(folder / "nearest.onnx"))
    onnx.save(bare_matmul(), str(folder / "matmul.onnx"))
