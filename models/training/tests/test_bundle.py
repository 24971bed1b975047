"""What stands in a bundle: parity with PyTorch, hashes, pseudo features, and the shipped one."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from radar_training.build import build
from radar_training.bundle import GOLDEN_TOLERANCE, Provenance, fused_answers
from radar_training.export import run_graph
from radar_training.rgb_encoder import RgbEncoder, StudentTaps
from radar_training.xyz_encoder import CENTRES, NEIGHBOURS, XyzBackbone, XyzEncoder

SHIPPED = Path(__file__).parents[2] / "bundles" / "radar-lite"


def inputs() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(0, 1, (1, 3, 224, 224)).astype(np.float32),
        "groups": rng.normal(0, 0.002, (CENTRES, NEIGHBOURS, 3)).astype(np.float32),
        "centres": (rng.random((CENTRES, 3)) * 0.08 + [0, 0, 0.4]).astype(np.float32),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RgbEncoder, XyzEncoder]:
    """A bundle of two random encoders; no fusion was trained for them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bundle")
    taps = StudentTaps().eval()
    taps.fold()
    rgb = RgbEncoder(taps, torch.zeros(128), torch.ones(128)).eval()
    xyz = XyzEncoder(XyzBackbone().eval(), torch.zeros(192), torch.ones(192)).eval()
    made: Provenance = {"licence": "Apache-2.0", "training": "test", "data": "none", "seed": 0, "parameters": 1}
    networks = {"rgb": (rgb, made), "xyz": (xyz, made), "fusion": None}
    build(folder, networks=networks, others=None, name="test", version="0.0.0", measured={})
    return folder, rgb, xyz


def test_graphs_answer_as_pytorch_does(written: tuple[Path, RgbEncoder, XyzEncoder]) -> None:
    folder, rgb, xyz = written
    given = inputs()
    with torch.no_grad():
        rgb_wanted = rgb(torch.from_numpy(given["image"])).numpy()
        xyz_wanted = xyz(torch.from_numpy(given["groups"]), torch.from_numpy(given["centres"])).numpy()
    rgb_got = run_graph(folder / "rgb.onnx", {"image": given["image"]})
    xyz_got = run_graph(folder / "xyz.onnx", {"groups": given["groups"], "centres": given["centres"]})
    np.testing.assert_allclose(rgb_got, rgb_wanted, atol=1e-4, rtol=0)
    np.testing.assert_allclose(xyz_got, xyz_wanted, atol=1e-4, rtol=0)


def test_graphs_are_opset_17_with_fixed_shapes(written: tuple[Path, RgbEncoder, XyzEncoder]) -> None:
    for name in ("rgb.onnx", "xyz.onnx", "fusion.onnx"):
        model = onnx.load(written[0] / name)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
        for value in (*model.graph.input, *model.graph.output):
            assert all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim), value.name


def test_pseudo_tokens_of_the_degenerate_cloud_are_one_constant(written: tuple[Path, RgbEncoder, XyzEncoder]) -> None:
    pseudo = load_file(written[0] / "pseudo.safetensors")
    assert pseudo["rgb"].shape == (784, 128)
    assert pseudo["xyz"].shape == (784, 192)
    assert np.isfinite(pseudo["rgb"]).all() and np.isfinite(pseudo["xyz"]).all()
    assert (pseudo["xyz"] == pseudo["xyz"][0]).all()


@pytest.mark.parametrize("source", ["written", "shipped"])
def test_every_file_has_the_hash_that_the_manifest_names(source: str, request: pytest.FixtureRequest) -> None:
    folder = SHIPPED if source == "shipped" else request.getfixturevalue("written")[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    encoders = manifest["encoders"]
    networks = [encoders["rgb"], encoders["xyz"], manifest["fusion"]]
    files = [*(network["file"] for network in networks), manifest["pseudo"], manifest["golden"]]
    for file in files:
        assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"], file["name"]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20_000_000


def test_the_shipped_bundle_gives_its_golden_answers() -> None:
    golden = load_file(SHIPPED / "golden.safetensors")
    rgb = run_graph(SHIPPED / "rgb.onnx", {"image": golden["image"]})
    xyz = run_graph(SHIPPED / "xyz.onnx", {"groups": golden["groups"], "centres": golden["centres"]})
    np.testing.assert_allclose(rgb, golden["rgb_tokens"], atol=GOLDEN_TOLERANCE, rtol=0)
    np.testing.assert_allclose(xyz, golden["xyz_tokens"], atol=GOLDEN_TOLERANCE, rtol=0)
    fused = fused_answers(
        SHIPPED / "fusion.onnx", rgb[0], golden["xyz_patches"], load_file(SHIPPED / "pseudo.safetensors")
    )
    np.testing.assert_allclose(fused, golden["fused"], atol=GOLDEN_TOLERANCE, rtol=0)
    assert np.abs(fused[0] - fused[1]).max() > 0.1 and np.abs(fused[1] - fused[2]).max() > 0.1


def test_a_bundle_without_a_trained_fusion_concatenates(written: tuple[Path, RgbEncoder, XyzEncoder]) -> None:
    golden = load_file(written[0] / "golden.safetensors")
    assert golden["fused"].shape == (3, 784, 128 + 192)
    ratio = golden["fused"][0][:, :128] / golden["rgb_tokens"][0]
    np.testing.assert_allclose(ratio, (160 / 128) ** 0.5, rtol=1e-3)
    assert not golden["fused"][1][:, 128:].any() and not golden["fused"][2][:, :128].any()
