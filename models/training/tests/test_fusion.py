"""RADAR's fusion and double-pseudo module: sizes, what each part may change, the losses' definitions."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radar_training.alignment import Alignment
from radar_training.double_pseudo import (
    NEAREST,
    REGIONS,
    DoublePseudo,
    OnlineBank,
    Targets,
    local_features,
    local_foreground,
)
from radar_training.fusion import BASE, CONDITIONS, LITE, Concatenation, FusionGraph, InstructionFusion, Parts
from radar_training.train_fusion import Radar, optimiser_of, parameter_table


def sample(count: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    condition = torch.arange(count) % 3
    return torch.randn(count, 784, LITE.rgb_width), torch.randn(count, 784, LITE.xyz_width), condition


ALL = Parts()


def stirred(parts: Parts = ALL) -> InstructionFusion:
    """Random weights everywhere, also where training starts from zero."""
    torch.manual_seed(0)
    fusion = InstructionFusion(LITE, parts).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return fusion


def test_base_has_exactly_the_papers_6842k_trained_parameters() -> None:
    table = parameter_table(BASE)
    total = sum(count for _, count in table)
    print("\n" + "\n".join(f"{count:>10,}  {name}" for name, count in [*table, ("total", total)]))
    assert total == 6_841_643


def test_the_parameter_table_leaves_nothing_out() -> None:
    radar = Radar(LITE, Parts())
    counted = sum(count for name, count in parameter_table(LITE) if "one-class" not in name)
    frozen = [*radar.fusion.transformer.parameters()]
    throw_away = [*radar.context.draw_rgb.parameters(), *radar.context.draw_xyz.parameters()]
    every = sum(parameter.numel() for parameter in radar.parameters())
    assert counted == every - sum(parameter.numel() for parameter in [*frozen, *throw_away])


def test_g_hat_is_28_by_28_and_twice_as_wide_as_the_transformer() -> None:
    fused = stirred()(*sample())
    assert fused.shape == (3, 784, 2 * LITE.width)
    assert torch.isfinite(fused).all()


def test_the_same_tokens_fuse_differently_under_each_instruction_and_alike_without() -> None:
    rgb, xyz, _ = sample(1)
    answers = [stirred()(rgb, xyz, torch.tensor([index])) for index in range(3)]
    assert (answers[0] - answers[1]).abs().max() > 1e-3 and (answers[1] - answers[2]).abs().max() > 1e-3
    plain = [stirred(Parts(instructions=False))(rgb, xyz, torch.tensor([index])) for index in range(3)]
    assert torch.equal(plain[0], plain[1]) and torch.equal(plain[1], plain[2])


def test_only_the_active_instruction_gets_a_gradient() -> None:
    fusion = stirred()
    rgb, xyz, _ = sample(2)
    fusion(rgb, xyz, torch.tensor([1, 1])).square().sum().backward()
    assert fusion.instructions is not None and fusion.instructions.grad is not None
    assert [bool(fusion.instructions.grad[index].any()) for index in range(3)] == [False, True, False]


def test_the_hypernetwork_changes_nothing_before_training_and_depends_on_the_sample_after() -> None:
    torch.manual_seed(0)
    with_it = InstructionFusion(LITE, Parts()).eval()
    without = InstructionFusion(LITE, Parts(adaptive=False)).eval()
    without.load_state_dict({k: v for k, v in with_it.state_dict().items() if ".hyper." not in k})
    torch.testing.assert_close(with_it(*sample()), without(*sample()))
    pooled = torch.randn(2, LITE.fused_width)
    u, v = stirred().mlp_rgb.hyper[0](pooled)
    assert (u[0] - u[1]).abs().max() > 1e-3
    torch.testing.assert_close(v.norm(dim=1), torch.ones(2))


def test_the_generated_update_has_rank_one() -> None:
    fusion = stirred()
    pooled = torch.randn(1, LITE.fused_width)
    u, v = fusion.mlp_rgb.hyper[0](pooled)
    values = torch.randn(1, 5, LITE.width)
    whole = values @ (u.unsqueeze(2) @ v.unsqueeze(1)).transpose(1, 2)
    torch.testing.assert_close((values @ v.unsqueeze(2)) * u.unsqueeze(1), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stage", ["context", "align", "double-pseudo"])
def test_the_transformer_is_frozen_once_its_own_stage_is_over(stage: str) -> None:
    radar = Radar(LITE, Parts())
    trained = {id(p) for group in optimiser_of(radar, stage).param_groups for p in group["params"]}
    transformer = [id(parameter) in trained for parameter in radar.fusion.transformer.parameters()]
    assert all(transformer) if stage == "context" else not any(transformer)
    assert (id(radar.fusion.instructions) in trained) == (stage != "context")


def test_instructions_learn_at_a_rate_of_their_own() -> None:
    radar = Radar(LITE, Parts())
    rates = {group["lr"] for group in optimiser_of(radar, "align").param_groups}
    assert rates == {1e-3, 1e-2}


def test_alignment_is_lower_for_aligned_pairs_than_for_shuffled_ones() -> None:
    torch.manual_seed(0)
    alignment = Alignment(LITE)
    alignment.head_xyz.load_state_dict(alignment.head_rgb.state_dict())
    half = torch.randn(2, 784, LITE.width)
    covered = torch.ones(2, 784, dtype=torch.bool)
    aligned = alignment(torch.cat([half, half], 2), covered)
    shuffled = alignment(torch.cat([half, half[:, torch.randperm(784)]], 2), covered)
    assert aligned < 0.1 < 3 < shuffled
    assert float(alignment(torch.cat([half, half], 2), ~covered)) == 0


def targets(count: int) -> Targets:
    return Targets(torch.rand(count, 3, 224, 224), torch.randn(count, 784, 3), torch.ones(count, 784, dtype=torch.bool))


def test_a_missing_modality_has_no_reconstruction_term() -> None:
    torch.manual_seed(0)
    module = DoublePseudo(LITE).eval()
    fused, wanted = torch.randn(1, 784, LITE.fused_width), targets(1)
    for name, index in ((1, "points"), (2, "picture")):
        other = wanted._replace(**{index: getattr(wanted, index) + 5})
        condition = torch.tensor([name])
        missing = module.reconstruction(fused, condition, wanted)
        torch.testing.assert_close(module.reconstruction(fused, condition, other), missing)
        both = module.reconstruction(fused, torch.tensor([0]), other)
        assert both > module.reconstruction(fused, torch.tensor([0]), wanted)


def test_reconstruction_weighs_the_picture_twice_as_much_as_the_points() -> None:
    torch.manual_seed(0)
    module = DoublePseudo(LITE).eval()
    fused, wanted = torch.randn(1, 784, LITE.fused_width), targets(1)
    grid = fused.transpose(1, 2).reshape(1, -1, 28, 28)
    by_hand = F.mse_loss(module.picture(grid), wanted.picture) + 0.5 * F.mse_loss(module.points(fused), wanted.points)
    torch.testing.assert_close(module.reconstruction(fused, torch.tensor([0]), wanted), by_hand)


def test_a_score_is_one_minus_the_mean_of_the_top_similarities() -> None:
    torch.manual_seed(0)
    bank = OnlineBank(6, rows=50)
    local = torch.randn(2, 4, 6)
    condition = torch.tensor([0, 2])
    got = bank.scores(local, condition).numpy()
    for n in range(2):
        rows = bank.rows[condition[n]].numpy()
        for m in range(4):
            feature = local[n, m].numpy() / np.linalg.norm(local[n, m].numpy())
            best = np.sort(rows @ feature)[-NEAREST:].mean()
            assert got[n, m] == pytest.approx(1 - best, abs=1e-5)


def test_the_bank_keeps_its_conditions_apart_and_drops_the_oldest() -> None:
    torch.manual_seed(0)
    bank = OnlineBank(6, rows=4)
    before = bank.rows.clone()
    local = torch.eye(6)[None, :6]
    bank.store(local, torch.ones(1, 6, dtype=torch.bool), torch.tensor([1]))
    assert torch.equal(bank.rows[0], before[0]) and torch.equal(bank.rows[2], before[2])
    assert torch.equal(bank.rows[1], torch.eye(6)[:4])
    bank.store(local[:, 4:], torch.tensor([[True, False]]), torch.tensor([1]))
    assert torch.equal(bank.rows[1][0], torch.eye(6)[4]) and torch.equal(bank.rows[1][1:], torch.eye(6)[1:4])


def test_branch_2_pulls_known_features_to_the_bank_and_pushes_odd_ones_away() -> None:
    torch.manual_seed(0)
    module = DoublePseudo(LITE).eval()
    module.bank.sigma.fill_(0.5)
    module.bank.rows[0, :NEAREST] = module.bank.rows[0, 0].clone()
    known = module.bank.rows[0, 0].repeat(784, 1)
    fused = (known + 0.3 * torch.randn_like(known) / LITE.fused_width**0.5).unsqueeze(0)
    fused[:, 400:402] = fused[:, 428:430] = -known[:2]
    fused.requires_grad_(True)
    condition, covered = torch.tensor([0]), torch.ones(1, 784, dtype=torch.bool)
    bank = deepcopy(module.bank)
    before = bank.scores(local_features(fused), condition).detach()
    module.contrast(fused, condition, covered).backward()
    assert fused.grad is not None
    moved = fused.detach() - 20 * fused.grad
    after = bank.scores(local_features(moved), condition)
    odd = before[0] > 0.5
    assert odd.sum() == 1
    assert (after[0][~odd] < before[0][~odd]).float().mean() > 0.9


def test_sigma_follows_the_95th_percentile_of_its_condition() -> None:
    bank = OnlineBank(4, rows=8)
    scores, inside = torch.linspace(0, 1, 101)[None], torch.ones(1, 101, dtype=torch.bool)
    for _ in range(80):
        bank.follow(scores, inside, torch.tensor([2]))
    assert bank.sigma.tolist() == pytest.approx([0.35, 0.35, 0.95], abs=1e-3)


def test_local_features_are_means_over_two_by_two_patches() -> None:
    grid = torch.arange(784.0).reshape(1, 784, 1)
    local = local_features(grid)
    assert local.shape == (1, REGIONS * REGIONS, 1)
    assert float(local[0, 0, 0]) == pytest.approx(np.mean([0, 1, 28, 29]))
    covered = torch.zeros(1, 784, dtype=torch.bool)
    covered[0, 29] = True
    assert local_foreground(covered).nonzero().tolist() == [[0, 0]]


def test_the_exported_graph_is_standardised_per_condition() -> None:
    fusion = stirred()
    rgb, xyz, _ = sample(1)
    mean, std = torch.randn(3, LITE.fused_width), torch.rand(3, LITE.fused_width) + 0.5
    graph = FusionGraph(fusion, mean, std)
    for index in range(len(CONDITIONS)):
        condition = torch.tensor([index])
        wanted = (fusion(rgb, xyz, condition)[0] - mean[index]) / std[index]
        torch.testing.assert_close(graph(rgb[0], xyz[0], condition), wanted)


def test_a_concatenation_gives_both_modalities_the_same_weight_and_none_to_a_missing_one() -> None:
    graph = Concatenation(4, 12)
    rgb, xyz = torch.ones(784, 4), torch.ones(784, 12)
    both = graph(rgb, xyz, torch.tensor([0]))
    assert float(both[0, :4].square().sum()) == pytest.approx(float(both[0, 4:].square().sum()))
    assert not graph(rgb, xyz, torch.tensor([1]))[:, 4:].any()
    assert not graph(rgb, xyz, torch.tensor([2]))[:, :4].any()


@pytest.mark.parametrize("text", ["mii,alm,dphm", "none", "alm", "mii,dphm"])
def test_parts_are_written_as_they_are_read(text: str) -> None:
    assert str(Parts.parse(text)) == text


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(ValueError, match="nii unknown"):
        Parts.parse("nii")
