"""The official backbones: layouts written out by hand, forward passes redone in numpy, files that must be refused.

No official weights are at hand, so the files hold random ones, laid out exactly as the official files are.
"""

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import erf

from radar_training.export import run_graph
from radar_training.import_backbones import import_backbones, main
from radar_training.official_checkpoint import CheckpointRefused, dino_layout, parameters_of, point_mae_layout
from radar_training.point_mae import EPSILON, GroupMap, PointMae, PointMaeShape, SampleNorm
from radar_training.vit import Vit, VitShape

Shapes = dict[str, tuple[int, ...]]
Weights = dict[str, torch.Tensor]
Array = NDArray[np.float64]

SMALL_VIT = VitShape(width=24, depth=2, heads=3, patch_pixels=8, image_pixels=32)
SMALL_POINTS = PointMaeShape(width=24, depth=12, heads=3, centres=32, neighbours=16)


def dino_shapes(width: int, depth: int, patch: int, positions: int) -> Shapes:
    """dino_vitbase8_pretrain.pth, as facebookresearch/dino 7c446df (vision_transformer.py, hubconf.py) defines it."""
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, positions, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for n in range(depth):
        shapes |= {
            f"blocks.{n}.norm1.weight": (width,),
            f"blocks.{n}.norm1.bias": (width,),
            f"blocks.{n}.attn.qkv.weight": (3 * width, width),
            f"blocks.{n}.attn.qkv.bias": (3 * width,),
            f"blocks.{n}.attn.proj.weight": (width, width),
            f"blocks.{n}.attn.proj.bias": (width,),
            f"blocks.{n}.norm2.weight": (width,),
            f"blocks.{n}.norm2.bias": (width,),
            f"blocks.{n}.mlp.fc1.weight": (4 * width, width),
            f"blocks.{n}.mlp.fc1.bias": (4 * width,),
            f"blocks.{n}.mlp.fc2.weight": (width, 4 * width),
            f"blocks.{n}.mlp.fc2.bias": (width,),
        }
    return shapes | {"norm.weight": (width,), "norm.bias": (width,)}


def point_block_shapes(path: str, width: int) -> Shapes:
    return {
        f"{path}.norm1.weight": (width,),
        f"{path}.norm1.bias": (width,),
        f"{path}.norm2.weight": (width,),
        f"{path}.norm2.bias": (width,),
        f"{path}.mlp.fc1.weight": (4 * width, width),
        f"{path}.mlp.fc1.bias": (4 * width,),
        f"{path}.mlp.fc2.weight": (width, 4 * width),
        f"{path}.mlp.fc2.bias": (width,),
        f"{path}.attn.qkv.weight": (3 * width, width),
        f"{path}.attn.proj.weight": (width, width),
        f"{path}.attn.proj.bias": (width,),
    }


def encoder_shapes(width: int, depth: int) -> Shapes:
    """The used part of Point-MAE's `base_model` (Pang-Yatian/Point-MAE 7445a68, models/Point_MAE.py)."""
    shapes: Shapes = {
        "MAE_encoder.encoder.first_conv.0.weight": (128, 3, 1),
        "MAE_encoder.encoder.first_conv.0.bias": (128,),
        "MAE_encoder.encoder.first_conv.1.weight": (128,),
        "MAE_encoder.encoder.first_conv.1.bias": (128,),
        "MAE_encoder.encoder.first_conv.3.weight": (256, 128, 1),
        "MAE_encoder.encoder.first_conv.3.bias": (256,),
        "MAE_encoder.encoder.second_conv.0.weight": (512, 512, 1),
        "MAE_encoder.encoder.second_conv.0.bias": (512,),
        "MAE_encoder.encoder.second_conv.1.weight": (512,),
        "MAE_encoder.encoder.second_conv.1.bias": (512,),
        "MAE_encoder.encoder.second_conv.3.weight": (width, 512, 1),
        "MAE_encoder.encoder.second_conv.3.bias": (width,),
        "MAE_encoder.pos_embed.0.weight": (128, 3),
        "MAE_encoder.pos_embed.0.bias": (128,),
        "MAE_encoder.pos_embed.2.weight": (width, 128),
        "MAE_encoder.pos_embed.2.bias": (width,),
    }
    for n in range(depth):
        shapes |= point_block_shapes(f"MAE_encoder.blocks.blocks.{n}", width)
    return shapes | {"MAE_encoder.norm.weight": (width,), "MAE_encoder.norm.bias": (width,)}


def unused_shapes(width: int) -> Shapes:
    """The rest of `base_model`: 53 tensors of the pre-training and 6 averages of the two batch norms."""
    shapes: Shapes = {"mask_token": (1, 1, width)}
    for norm, channels in (("first_conv.1", 128), ("second_conv.1", 512)):
        shapes |= {
            f"MAE_encoder.encoder.{norm}.running_mean": (channels,),
            f"MAE_encoder.encoder.{norm}.running_var": (channels,),
            f"MAE_encoder.encoder.{norm}.num_batches_tracked": (),
        }
    shapes |= {
        "decoder_pos_embed.0.weight": (128, 3),
        "decoder_pos_embed.0.bias": (128,),
        "decoder_pos_embed.2.weight": (width, 128),
        "decoder_pos_embed.2.bias": (width,),
    }
    for n in range(4):
        shapes |= point_block_shapes(f"MAE_decoder.blocks.{n}", width)
    return shapes | {
        "MAE_decoder.norm.weight": (width,),
        "MAE_decoder.norm.bias": (width,),
        "increase_dim.0.weight": (96, width, 1),
        "increase_dim.0.bias": (96,),
    }


def drawn(shapes: Shapes, seed: int) -> Weights:
    """Random weights of a trained network's size: maps keep a vector's length, norms are near one."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(123, dtype=torch.int64)
            continue
        values = torch.randn(shape, generator=generator)
        norm = "norm" in name or "conv.1." in name
        if norm and name.endswith("weight"):
            weights[name] = 1 + 0.1 * values
        elif len(shape) > 1 and name.endswith("weight"):
            weights[name] = values / values[0].numel() ** 0.5
        else:
            weights[name] = 0.1 * values
    return weights


def save_dino(path: Path, weights: Weights) -> Path:
    torch.save(weights, path)
    return path


def save_point_mae(path: Path, weights: Weights) -> Path:
    """As Point-MAE's builder saves: wrapped names, an optimizer, the epoch, and metrics that were never measured."""
    torch.save(
        {
            "base_model": {f"module.{name}": value for name, value in weights.items()},
            "optimizer": {"state": {0: {"step": 5, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]},
            "epoch": 300,
            "metrics": {"acc": 0.0},
            "best_metrics": {"acc": 0.0},
        },
        path,
    )
    return path


@dataclass
class Files:
    """A small pair of checkpoints and a place for the answer."""

    folder: Path
    dino_weights: Weights
    point_weights: Weights

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def brought_in(self) -> dict[str, Any]:
        dino = save_dino(self.folder / "dino.pth", self.dino_weights)
        point_mae = save_point_mae(self.folder / "pretrain.pth", self.point_weights)
        return import_backbones(dino, point_mae, self.out, vit=SMALL_VIT, points=SMALL_POINTS, tell=lambda _: None)

    def refusal(self) -> str:
        with pytest.raises(CheckpointRefused) as refused:
            self.brought_in()
        assert not self.out.exists()
        return str(refused.value)


@pytest.fixture
def small(tmp_path: Path) -> Files:
    width = SMALL_POINTS.width
    shapes = encoder_shapes(width, SMALL_POINTS.depth) | unused_shapes(width)
    return Files(tmp_path, drawn(dino_shapes(24, 2, 8, 17), 1), drawn(shapes, 2))


@dataclass
class Imported:
    folder: Path
    report: dict[str, Any]
    told: str
    dino_sha256: str


@pytest.fixture(scope="module")
def official() -> Iterator[Imported]:
    """Both files at full size, imported once. The folder is half a gigabyte, so it goes at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dino = save_dino(folder / "dino_vitbase8_pretrain.pth", drawn(dino_shapes(768, 12, 8, 785), 3))
        weights = drawn(encoder_shapes(384, 12) | unused_shapes(384), 4)
        point_mae = save_point_mae(folder / "pretrain.pth", weights)
        told: list[str] = []
        report = import_backbones(dino, point_mae, folder / "out", tell=told.append)
        dino_sha256 = hashlib.sha256(dino.read_bytes()).hexdigest()
        for file in (dino, point_mae):
            file.unlink()
        yield Imported(folder / "out", report, "\n".join(told), dino_sha256)


def test_the_official_files_hold_85_807_872_and_21_825_024_parameters_by_hand_and_by_architecture() -> None:
    by_hand = dino_shapes(768, 12, 8, 785)
    layout = dino_layout(VitShape())
    assert {name: expected.shape for name, expected in layout.items()} == by_hand
    assert all(expected.used for expected in layout.values())
    assert sum(int(np.prod(shape)) for shape in by_hand.values()) == parameters_of(layout) == 85_807_872
    used, unused = encoder_shapes(384, 12), unused_shapes(384)
    layout = point_mae_layout(PointMaeShape())
    assert {name: expected.shape for name, expected in layout.items()} == used | unused
    assert {name for name, expected in layout.items() if not expected.used} == set(unused)
    assert len(layout) == 209
    assert sum(int(np.prod(shape)) for shape in used.values()) == parameters_of(layout) == 21_825_024
    whole = {name for name, expected in layout.items() if expected.dtype == torch.int64}
    assert whole == {name for name in unused if name.endswith("num_batches_tracked")}


def test_full_size_graphs_equal_pytorch_to_1e_4(official: Imported) -> None:
    for encoder in ("rgb", "xyz"):
        assert official.report[encoder]["maxAbsoluteDifference"] <= 1e-4


def test_full_size_graphs_follow_the_rules_of_strong_typing(official: Imported) -> None:
    graphs = {name: onnx.load(official.folder / f"{name}.onnx") for name in ("rgb", "xyz")}
    for graph in graphs.values():
        assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17)]
        operators = {node.op_type for node in graph.graph.node}
        assert "LayerNormalization" in operators
        # Neither conversions nor a layer norm in pieces, nor arithmetic on shapes.
        assert not operators & {"Cast", "ReduceMean", "Pow", "Sqrt", "Shape", "Expand", "Where", "Attention"}
        kinds = {weight.data_type for weight in graph.graph.initializer}
        assert kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
        assert all(weight.data_location == onnx.TensorProto.DEFAULT for weight in graph.graph.initializer)
    norms = [node.op_type for node in graphs["rgb"].graph.node].count("LayerNormalization")
    assert norms == 2 * 12 + 1
    assert [node.op_type for node in graphs["xyz"].graph.node].count("InstanceNormalization") == 2

    def faces(values: Any) -> dict[str, list[int]]:
        assert all(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for value in values)
        return {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in values}

    assert faces(graphs["rgb"].graph.input) == {"image": [1, 3, 224, 224]}
    assert faces(graphs["rgb"].graph.output) == {"tokens": [1, 784, 768]}
    assert faces(graphs["xyz"].graph.input) == {"groups": [1024, 128, 3], "centres": [1024, 3]}
    assert faces(graphs["xyz"].graph.output) == {"tokens": [1024, 1152]}


def test_the_report_names_hashes_licences_totals_and_what_was_left_out(official: Imported) -> None:
    written = json.loads((official.folder / "import.json").read_text())
    assert written == official.report
    assert sorted(path.name for path in official.folder.iterdir()) == ["import.json", "rgb.onnx", "xyz.onnx"]
    assert written["rgb"]["from"]["sha256"] == official.dino_sha256
    for encoder, licence, parameters in (("rgb", "Apache-2.0", 85_807_872), ("xyz", "MIT", 21_825_024)):
        entry = written[encoder]
        graph = official.folder / entry["file"]["name"]
        assert (entry["licence"], entry["parameters"]) == (licence, parameters)
        assert entry["file"]["sha256"] == hashlib.sha256(graph.read_bytes()).hexdigest()
        assert f"{parameters:,}" in official.told
    assert written["rgb"]["leftOut"] == []
    assert set(written["xyz"]["leftOut"]) == set(unused_shapes(384))
    for name in unused_shapes(384):
        assert f"left out: {name} " in official.told


def normalised(x: Array, weights: dict[str, Array], path: str, epsilon: float) -> Array:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weights[f"{path}.weight"] + weights[f"{path}.bias"]


def mapped(x: Array, weights: dict[str, Array], path: str) -> Array:
    """A linear map, or a convolution of size one, of rows; without a bias where the file has none."""
    matrix = weights[f"{path}.weight"]
    return x @ matrix.reshape(len(matrix), -1).T + weights.get(f"{path}.bias", np.zeros(1))


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def block(x: Array, weights: dict[str, Array], path: str, heads: int, epsilon: float) -> Array:
    """One pre-norm block over rows [L,width], head by head."""
    width = x.shape[1]
    size = width // heads
    qkv = mapped(normalised(x, weights, f"{path}.norm1", epsilon), weights, f"{path}.attn.qkv")
    answers = []
    for head in range(heads):
        query, key, value = (qkv[:, part * width + head * size :][:, :size] for part in range(3))
        logits = query @ key.T / np.sqrt(size)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        answers.append(odds / odds.sum(1, keepdims=True) @ value)
    x = x + mapped(np.concatenate(answers, 1), weights, f"{path}.attn.proj")
    hidden = gelu(mapped(normalised(x, weights, f"{path}.norm2", epsilon), weights, f"{path}.mlp.fc1"))
    return x + mapped(hidden, weights, f"{path}.mlp.fc2")


def dino_by_hand(image: Array, weights: dict[str, Array], shape: VitShape) -> Array:
    side, patch = shape.image_pixels // shape.patch_pixels, shape.patch_pixels
    corners = [(row * patch, column * patch) for row in range(side) for column in range(side)]
    patches = np.stack([image[:, top : top + patch, left : left + patch].ravel() for top, left in corners])
    x = np.concatenate([weights["cls_token"][0], mapped(patches, weights, "patch_embed.proj")])
    x = x + weights["pos_embed"][0]
    for n in range(shape.depth):
        x = block(x, weights, f"blocks.{n}", shape.heads, 1e-6)
    return normalised(x, weights, "norm", 1e-6)[1:]


def point_mae_by_hand(groups: Array, centres: Array, weights: dict[str, Array], shape: PointMaeShape) -> Array:
    """In the official form: the maximum concatenated to every point, biases added, batch norm over all points."""
    weights = {name.removeprefix("MAE_encoder."): value for name, value in weights.items()}

    def batch_norm(x: Array, path: str) -> Array:
        mean, variance = x.mean((0, 1)), x.var((0, 1))
        return (x - mean) / np.sqrt(variance + 1e-5) * weights[f"{path}.weight"] + weights[f"{path}.bias"]

    local = batch_norm(mapped(groups, weights, "encoder.first_conv.0"), "encoder.first_conv.1")
    local = mapped(np.maximum(local, 0), weights, "encoder.first_conv.3")
    both = np.concatenate([np.broadcast_to(local.max(1, keepdims=True), local.shape), local], 2)
    lifted = batch_norm(mapped(both, weights, "encoder.second_conv.0"), "encoder.second_conv.1")
    x = mapped(np.maximum(lifted, 0), weights, "encoder.second_conv.3").max(1)
    position = mapped(gelu(mapped(centres, weights, "pos_embed.0")), weights, "pos_embed.2")
    taps = []
    for n in range(shape.depth):
        x = block(x + position, weights, f"blocks.blocks.{n}", shape.heads, 1e-5)
        if n in (3, 7, 11):
            taps.append(normalised(x, weights, "norm", 1e-5))
    return np.concatenate(taps, 1)


def exact(weights: Weights) -> dict[str, Array]:
    return {name: value.double().numpy() for name, value in weights.items()}


def test_the_vit_equals_plain_numpy_from_the_official_tensors(small: Files) -> None:
    vit = Vit(SMALL_VIT).eval()
    vit.load_state_dict(small.dino_weights)
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        got = vit(image)
    assert got.shape == (2, 16, 24)
    for sample in range(2):
        wanted = dino_by_hand(image[sample].double().numpy(), exact(small.dino_weights), SMALL_VIT)
        np.testing.assert_allclose(got[sample].numpy(), wanted, atol=1e-5, rtol=0)


def test_point_mae_graph_equals_plain_numpy_from_the_official_tensors(small: Files) -> None:
    small.brought_in()
    generator = torch.Generator().manual_seed(6)
    groups = torch.randn(32, 16, 3, generator=generator) * 0.003
    centres = torch.randn(32, 3, generator=generator) * 0.05 + torch.tensor([0.0, 0.0, 0.5])
    got = run_graph(small.out / "xyz.onnx", {"groups": groups.numpy(), "centres": centres.numpy()})
    wanted = point_mae_by_hand(
        groups.double().numpy(), centres.double().numpy(), exact(small.point_weights), SMALL_POINTS
    )
    assert got.shape == (32, 72)
    np.testing.assert_allclose(got, wanted, atol=1e-4, rtol=0)


def test_the_split_map_equals_one_map_of_the_concatenation() -> None:
    torch.manual_seed(0)
    split = GroupMap(256, 512)
    local = torch.randn(1, 256, 7, 9)
    summary = local.amax(3, keepdim=True).expand_as(local)
    with torch.inference_mode():
        whole = F.conv1d(torch.cat([summary, local], 1).reshape(1, 512, 63), split.weight)
        torch.testing.assert_close(split(local), whole, atol=1e-5, rtol=0)


def test_the_norm_hardly_sees_the_scale_of_unit_groups_and_sees_that_of_metric_ones() -> None:
    """Numerics 3.4: epsilon 1e-5 is active at five millimetres and is not at one metre."""
    assert EPSILON == 1e-5
    torch.manual_seed(0)
    first = PointMae(SMALL_POINTS).encoder.first_conv[:2]
    offsets = torch.randn(1, 3, 1024 * 128) / 3**0.5

    def change(radius_metres: float) -> float:
        with torch.inference_mode():
            here, there = first(offsets * radius_metres), first(offsets * radius_metres * 10)
        return float((here - there).norm() / there.norm())

    assert 0.3 < change(0.005) < 0.7
    assert change(1.0) < 1e-3


def test_the_norm_is_biased_and_stays_fp32_under_autocast() -> None:
    torch.manual_seed(0)
    norm = SampleNorm(4)
    features = torch.randn(1, 4, 50) * 1e-3
    double = features.double()
    mean, variance = double.mean(2, keepdim=True), double.var(2, keepdim=True, unbiased=False)
    with torch.inference_mode():
        torch.testing.assert_close(
            norm(features).double(), (double - mean) / (variance + 1e-5).sqrt(), atol=1e-5, rtol=0
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert norm(features.bfloat16()).dtype == torch.float32
            torch.testing.assert_close(norm(features), norm(features.clone()))


def test_nothing_is_dropped_at_random_even_in_training_mode(small: Files) -> None:
    encoder = PointMae(SMALL_POINTS).train()
    generator = torch.Generator().manual_seed(8)
    groups, centres = torch.randn(1, 32, 16, 3, generator=generator), torch.randn(1, 32, 3, generator=generator)
    with torch.inference_mode():
        assert torch.equal(encoder(groups, centres), encoder(groups, centres))
        torch.testing.assert_close(encoder(groups, centres), encoder.eval()(groups, centres), atol=0, rtol=0)


def test_names_without_the_wrapper_are_read_as_well(small: Files) -> None:
    dino = save_dino(small.folder / "dino.pth", small.dino_weights)
    plain = small.folder / "plain.pth"
    torch.save({"base_model": small.point_weights}, plain)
    report = import_backbones(dino, plain, small.out, vit=SMALL_VIT, points=SMALL_POINTS, tell=lambda _: None)
    assert report["xyz"]["tensors"] == len(encoder_shapes(24, 12))


def test_a_missing_tensor_is_named_with_what_was_expected(small: Files) -> None:
    del small.dino_weights["blocks.1.attn.qkv.bias"]
    refusal = small.refusal()
    assert "missing      blocks.1.attn.qkv.bias: expected float32 [72], found nothing" in refusal
    assert "wrong total  the encoder's parameters: expected" in refusal


def test_an_extra_tensor_is_named_with_what_was_found(small: Files) -> None:
    small.dino_weights["head.weight"] = torch.zeros(1000, 24)
    assert "unexpected   head.weight: expected nothing, found float32 [1000, 24]" in small.refusal()


def test_wrong_shapes_types_and_values_are_named_with_both(small: Files) -> None:
    small.dino_weights["patch_embed.proj.weight"] = torch.zeros(24, 3, 16, 16)
    small.dino_weights["norm.bias"] = torch.zeros(24, dtype=torch.float16)
    small.point_weights["MAE_encoder.norm.weight"][3] = torch.nan
    small.point_weights["MAE_decoder.blocks.0.norm1.bias"] = torch.zeros(25)
    refusal = small.refusal()
    assert (
        "wrong shape  patch_embed.proj.weight: expected float32 [24, 3, 8, 8], found float32 [24, 3, 16, 16]" in refusal
    )
    assert "wrong type   norm.bias: expected float32 [24], found float16 [24]" in refusal
    # Both files are looked at before anything is said.
    assert "not finite   MAE_encoder.norm.weight" in refusal
    assert "wrong shape  MAE_decoder.blocks.0.norm1.bias: expected float32 [24], found float32 [25]" in refusal


def test_a_mismatch_exits_with_2_and_writes_nothing(small: Files, capsys: pytest.CaptureFixture[str]) -> None:
    dino = save_dino(small.folder / "dino.pth", small.dino_weights)
    point_mae = save_point_mae(small.folder / "pretrain.pth", small.point_weights)
    # Whole, but not of the official size.
    assert main(["--dino", str(dino), "--point-mae", str(point_mae), "--out", str(small.out)]) == 2
    said = capsys.readouterr().err
    assert "wrong shape  cls_token: expected float32 [1, 1, 768], found float32 [1, 1, 24]" in said
    assert "wrong total  the encoder's parameters: expected 85,807,872, found" in said
    assert "wrong total  the encoder's parameters: expected 21,825,024, found" in said
    assert not small.out.exists()
    assert main(["--dino", "nowhere.pth", "--point-mae", str(point_mae), "--out", str(small.out)]) == 2


def test_files_swapped_or_damaged_are_refused_with_a_reason(small: Files) -> None:
    dino = save_dino(small.folder / "dino.pth", small.dino_weights)
    damaged, empty = small.folder / "damaged.pth", small.folder / "empty.pth"
    damaged.write_bytes(dino.read_bytes()[:2000])
    with pytest.raises(CheckpointRefused, match=r"damaged\.pth(.|\n)*tensors by name under 'base_model', found"):
        import_backbones(damaged, dino, small.out, vit=SMALL_VIT, points=SMALL_POINTS)
    empty.touch()
    with pytest.raises(CheckpointRefused, match=r"empty\.pth: not a checkpoint that torch can read \(EOFError"):
        import_backbones(empty, dino, small.out, vit=SMALL_VIT, points=SMALL_POINTS)
    assert not small.out.exists()


class Code:
    """Pickles as a call that makes a folder: harmless, and seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


# torch warns of the test's own unsafe reading and of a pickle's protocol.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_with_code_in_it_is_refused_and_the_code_does_not_run(small: Files, zipped: bool) -> None:
    ran, file = small.folder / "ran", small.folder / "dino.pth"
    torch.save({**small.dino_weights, "extra": Code(ran)}, file, _use_new_zipfile_serialization=zipped)
    point_mae = save_point_mae(small.folder / "pretrain.pth", small.point_weights)
    with pytest.raises(CheckpointRefused, match=r"expected tensors and plain containers.*it names \w+\.mkdir"):
        import_backbones(file, point_mae, small.out, vit=SMALL_VIT, points=SMALL_POINTS)
    assert not ran.exists()
    assert not small.out.exists()
    # The trap works: read the unsafe way, it would have run.
    torch.load(file, weights_only=False)
    assert ran.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_bare_pickle_with_code_in_it_is_refused_as_well(small: Files) -> None:
    ran, file = small.folder / "ran", small.folder / "pretrain.pth"
    file.write_bytes(pickle.dumps({"base_model": Code(ran)}))
    dino = save_dino(small.folder / "dino.pth", small.dino_weights)
    with pytest.raises(CheckpointRefused, match=r"pretrain\.pth"):
        import_backbones(dino, file, small.out, vit=SMALL_VIT, points=SMALL_POINTS)
    assert not ran.exists()
