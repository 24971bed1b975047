"""A few steps of every stage on tiny data: losses fall, a run resumes, what is exported is what was trained."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from radar_training.build import build, known_provenance, trained_fusion
from radar_training.bundle import GOLDEN_TOLERANCE, Provenance
from radar_training.export import run_graph
from radar_training.fusion import BASE, CONDITIONS, CONFIGS, LITE, InstructionFusion, Parts
from radar_training.token_sets import TokenSet, turned, turned_points
from radar_training.train_fusion import Run, Schedule, take_transformer, trained_stages

CPU = torch.device("cpu")
ALL = Parts()
SHORT = Schedule(context=6, align=8, double_pseudo=6, batch=6, seed=3)


def started(tokens: Path, out: Path, parts: Parts = ALL, schedule: Schedule = SHORT) -> Run:
    out.mkdir(parents=True, exist_ok=True)
    return Run(CONFIGS["lite"], parts, schedule, TokenSet([tokens]), out, CPU)


@pytest.fixture(scope="module")
def finished(token_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = started(token_folder, tmp_path_factory.mktemp("run"))
    run.train(every=1)
    return run


def test_the_losses_of_every_stage_fall(finished: Run) -> None:
    # The contrast's target moves with what it is trained on, so it need not fall: test_fusion.py says what it does.
    for stage, loss in (("context", "context"), ("align", "align"), ("double-pseudo", "reconstruction")):
        values = [row[loss] for row in finished.curve if row["stage"] == stage]
        assert np.mean(values[-2:]) < np.mean(values[:2]), (stage, loss, values)


def test_a_run_writes_what_repeats_it_and_its_curve(finished: Run) -> None:
    about = json.loads((finished.out / "config.json").read_text())
    assert about["schedule"]["seed"] == 3 and about["parts"] == "mii,alm,dphm" and about["samples"] == 12
    assert set(about["encoders"]) == {"rgb", "xyz"}
    lines = (finished.out / "curve.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 + 8 + 6
    assert (finished.out / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_trains_the_same_weights(finished: Run, token_folder: Path, tmp_path: Path) -> None:
    again = started(token_folder, tmp_path)
    again.train(every=100)
    for name, value in finished.radar.state_dict().items():
        torch.testing.assert_close(again.radar.state_dict()[name], value, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("stop", [3, 6, 11, 17])
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(
    finished: Run, token_folder: Path, tmp_path: Path, stop: int
) -> None:
    started(token_folder, tmp_path).train(every=100, stop_after=stop)
    resumed = started(token_folder, tmp_path)
    resumed.resume(tmp_path / "checkpoint.pt")
    resumed.train(every=100)
    for name, value in finished.radar.state_dict().items():
        torch.testing.assert_close(resumed.radar.state_dict()[name], value, atol=1e-6, rtol=1e-5, msg=name)


def test_a_checkpoint_of_another_run_is_refused(finished: Run, token_folder: Path, tmp_path: Path) -> None:
    other = started(token_folder, tmp_path, schedule=replace(SHORT, seed=4))
    with pytest.raises(ValueError, match=r"schedule is .*'seed': 3.* expected .*'seed': 4"):
        other.resume(finished.out / "checkpoint.pt")


def test_an_ablation_starts_from_the_frozen_transformer_of_another_run(
    finished: Run, token_folder: Path, tmp_path: Path
) -> None:
    run = started(token_folder, tmp_path, Parts(instructions=False, adaptive=False, double_pseudo=False))
    run.take_context(finished.out)
    run.train(every=100)
    ours, theirs = run.radar.fusion.transformer.state_dict(), finished.radar.fusion.transformer.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert {row["stage"] for row in run.curve} == {"align"}


def test_stages_follow_the_parts_and_the_config() -> None:
    assert trained_stages(LITE, Parts()) == ["context", "align", "double-pseudo"]
    assert trained_stages(BASE, Parts()) == ["align", "double-pseudo"]
    assert trained_stages(LITE, Parts(double_pseudo=False)) == ["context", "align"]


def test_sigma_is_the_95th_percentile_per_condition(finished: Run) -> None:
    sigma = finished.radar.double_pseudo.bank.sigma
    assert len(set(sigma.tolist())) == len(CONDITIONS)
    assert bool((sigma != 0.35).all()) and bool(((sigma > 0) & (sigma < 2)).all())


def test_the_exported_graph_answers_as_the_trained_fusion_does(
    finished: Run, token_folder: Path, encoders: Path, tmp_path: Path
) -> None:
    tokens = TokenSet([token_folder])
    network, made = trained_fusion(finished.out, tokens)
    known: Provenance = {"licence": "Apache-2.0", "training": "none", "data": "none", "seed": 0, "parameters": 1}
    others = tmp_path / "others"
    others.mkdir()
    for name in ("rgb.onnx", "xyz.onnx"):
        (others / name).write_bytes((encoders / name).read_bytes())
    manifest = {"encoders": {name: {"provenance": known} for name in ("rgb", "xyz")}}
    (others / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "bundle"
    networks = {"rgb": None, "xyz": None, "fusion": (network, made)}
    build(out, networks=networks, others=others, name="test", version="0.0.0", measured={})

    written = json.loads((out / "manifest.json").read_text())
    assert written["schema"] == "radar-edge/bundle@2"
    assert written["fusion"]["width"] == LITE.fused_width
    golden, pseudo = load_file(out / "golden.safetensors"), load_file(out / "pseudo.safetensors")
    for index in range(len(CONDITIONS)):
        rgb = pseudo["rgb"] if index == 2 else golden["rgb_tokens"][0]
        xyz = pseudo["xyz"] if index == 1 else golden["xyz_patches"]
        with torch.no_grad():
            wanted = network(torch.from_numpy(rgb), torch.from_numpy(xyz), torch.tensor([index])).numpy()
        np.testing.assert_allclose(golden["fused"][index], wanted, atol=1e-4, rtol=0)
        got = run_graph(out / "fusion.onnx", {"rgb": rgb, "xyz": xyz, "condition": np.array([index], np.int64)})
        np.testing.assert_allclose(got, golden["fused"][index], atol=GOLDEN_TOLERANCE, rtol=0)


def test_a_bundle_names_the_licences_of_imported_backbones(tmp_path: Path) -> None:
    entry = {
        "network": "DINO ViT-B/8",
        "from": {"project": "facebookresearch/dino", "name": "dino.pth"},
        "licence": "Apache-2.0",
        "data": "ImageNet-1k",
        "parameters": 5,
    }
    (tmp_path / "import.json").write_text(json.dumps({"rgb": entry, "xyz": entry | {"licence": "MIT"}}))
    known = known_provenance(tmp_path)
    assert known["rgb"]["training"] == "DINO ViT-B/8, imported from dino.pth"
    assert [known[part]["licence"] for part in ("rgb", "xyz")] == ["Apache-2.0", "MIT"]


def test_the_exported_answers_of_good_patches_are_standardised(finished: Run, token_folder: Path) -> None:
    tokens = TokenSet([token_folder])
    network, _ = trained_fusion(finished.out, tokens)
    rows = []
    with torch.no_grad():
        for batch in tokens.in_condition(1):
            for rgb, xyz, covered in zip(batch.rgb, batch.xyz, batch.targets.covered, strict=True):
                rows.append(network(rgb, xyz, torch.tensor([1]))[covered])
    every = torch.cat(rows)
    torch.testing.assert_close(every.mean(0), torch.zeros(LITE.fused_width), atol=1e-3, rtol=0)
    assert float(every.std(0).median()) == pytest.approx(1, abs=0.01)


def test_a_part_that_lacks_a_modality_never_shows_it(token_folder: Path) -> None:
    tokens = TokenSet([token_folder])
    first = tokens.take(np.array([0]), np.random.default_rng(0), missing_rate=0.0)
    assert first.condition.tolist() == [1]
    torch.testing.assert_close(first.xyz[0], tokens.pseudo_xyz)
    assert sum(len(batch.condition) for batch in tokens.in_condition(0)) == 11
    assert sum(len(batch.condition) for batch in tokens.in_condition(1)) == 12


def test_missing_modalities_are_simulated_at_the_asked_rate(token_folder: Path) -> None:
    tokens, rng = TokenSet([token_folder]), np.random.default_rng(0)
    drawn = np.concatenate([tokens.take(rng.integers(1, 12, 50), rng, 0.7).condition.numpy() for _ in range(12)])
    assert np.mean(drawn != 0) == pytest.approx(0.7, abs=0.06)
    assert np.mean(drawn == 1) == pytest.approx(0.35, abs=0.06)


def test_a_set_that_was_not_finished_is_refused(token_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no tokens\.json"):
        TokenSet([tmp_path])


@pytest.mark.parametrize("turns", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_points_turn_with_their_grid(turns: tuple[int, int, int]) -> None:
    v, u = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    points = torch.stack([u - 13.5, v - 13.5, u * v], 2).reshape(1, 784, 3)
    moved = turned_points(points, np.array(turns, bool)).reshape(28, 28, 3)
    # Wherever a patch went, its coordinates still say where it lies in the grid.
    torch.testing.assert_close(moved[..., 0], u - 13.5)
    torch.testing.assert_close(moved[..., 1], v - 13.5)
    assert torch.equal(turned(points, np.array((0, 0, 0), bool)), points)


def test_base_takes_the_last_blocks_of_dino(tmp_path: Path) -> None:
    small = replace(BASE, rgb_width=16, xyz_width=24, heads=2, hidden=32)
    torch.manual_seed(0)
    source = InstructionFusion(small).transformer.blocks.state_dict()
    official = {f"blocks.{int(name.split('.')[0]) + 8}.{name.split('.', 1)[1]}": v for name, v in source.items()}
    official |= {f"blocks.0.{name.split('.', 1)[1]}": v * 0 for name, v in source.items() if name.startswith("0.")}
    torch.save(official | {"cls_token": torch.zeros(1, 1, 16)}, tmp_path / "dino.pth")
    fusion = InstructionFusion(small)
    take_transformer(fusion, tmp_path / "dino.pth")
    assert all(torch.equal(value, source[name]) for name, value in fusion.transformer.blocks.state_dict().items())


def test_torchrun_trains_on_two_processes(token_folder: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    command = [*launcher, f"--master-port={port}", "-m", "radar_training.train_fusion"]
    steps = ["--context-steps=2", "--align-steps=2", "--double-pseudo-steps=2", "--every=1", "--batch=3"]
    settings = ["--config=lite", f"--tokens={token_folder}", f"--out={tmp_path}", *steps]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([*command, *settings], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "config.json").read_text())["world"] == 2
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 7
