"""The reference by itself, against brute force and scikit-learn: an oracle that is wrong agrees with nobody."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.optimize import minimize
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from radar_training.datasets import Condition
from radar_training.reference import (
    ALLOWANCES,
    Curve,
    GraphBundle,
    Head,
    MapHead,
    Repository,
    Seen,
    anomaly_map,
    calibrate,
    distance_at,
    fit_curve,
    fit_head,
    foreground_of,
    grouped,
    image_score,
    judge,
    mixed_map,
    narrowed,
    nearest,
    neighbourhood_means,
    normality_of,
    one_sided,
    part_of,
    pooled,
    teach,
    two_sided,
    voting,
    weight_of,
)
from radar_training.token_grid import pool_tokens

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
ROOT = Path(__file__).parents[3]
Rows = NDArray[np.float32]
ALL = np.ones(784, bool)


def random_rows(count: int, width: int, seed: int) -> Rows:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


# --- Scores ---


def test_nearest_agrees_with_scikit_learn() -> None:
    rows, bank = random_rows(784, 6, 1), random_rows(90, 6, 2)
    distances, index = nearest(rows, bank)
    expected, at = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(bank.astype(np.float64)).kneighbors(rows)
    assert np.allclose(distances, expected[:, 0], rtol=1e-6)
    assert (index == at[:, 0]).all()


def test_voter_means_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    distances, voters = rng.random(784), rng.random(784) < 0.4
    means = neighbourhood_means(distances, voters)
    for patch in range(784):
        y, x = divmod(patch, 28)
        around = [
            distances[v * 28 + u]
            for v in range(max(0, y - 1), min(28, y + 2))
            for u in range(max(0, x - 1), min(28, x + 2))
            if voters[v * 28 + u]
        ]
        assert means[patch] == (pytest.approx(np.mean(around)) if voters[patch] else -np.inf)


def test_where_no_patch_votes_all_do() -> None:
    distances = np.random.default_rng(4).random(784)
    assert (neighbourhood_means(distances, ~ALL) == neighbourhood_means(distances, ALL)).all()


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_the_weight_is_from_a_half_to_one(spread: float) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        bank = rng.normal(size=(20, 12)) * spread
        patch = rng.normal(size=12) * spread
        distances = np.sort(np.linalg.norm(bank - patch, axis=1))
        weight = weight_of(distances[0], rng.choice(distances[1:], 2, replace=False), 12)
        assert 0.5 <= weight < 1 or (spread == 30 and weight <= 1)


def test_a_score_worked_out_by_hand() -> None:
    # Width 1, so D = 1. The corner lies 2 from its nearest row, 3 and 4 from the two beside that; the rest lie on rows.
    bank = np.array([[0], [-1], [-2], [50]], np.float32)
    rows = np.full((784, 1), 50, np.float32)
    rows[0] = 2
    weight = 1 - np.exp(2) / (np.exp(3) + np.exp(4))
    assert image_score(rows, bank, ALL) == pytest.approx(weight * 2 / 4)
    # Alone to vote, it is its own neighbourhood.
    alone = np.zeros(784, bool)
    alone[0] = True
    assert image_score(rows, bank, alone) == pytest.approx(weight * 2)


def test_a_bank_of_one_row_still_scores() -> None:
    assert image_score(np.full((784, 4), 3, np.float32), np.zeros((1, 4), np.float32), ALL) == pytest.approx(0.5 * 6)


# --- Maps ---


def test_a_flat_map_stays_flat_and_mass_is_kept() -> None:
    assert anomaly_map(np.full(784, 0.7)) == pytest.approx(np.full((224, 224), 0.7))
    one = np.zeros(784)
    one[14 * 28 + 14] = 1
    assert anomaly_map(one).sum() == pytest.approx(64)


def test_the_blur_has_33_taps() -> None:
    corner = np.zeros(784)
    corner[0] = 1
    # Interpolation reaches pixel 11 (centre 1.44 patches), the blur 16 further.
    reach = np.flatnonzero(anomaly_map(corner)[0])
    assert reach.tolist() == list(range(28))


def test_mixing_is_linear_in_weights_and_shows_one_patch_beyond_the_voters() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.random(784), rng.random(784)
    voters = np.zeros(784, bool)
    voters[300] = True
    both = mixed_map([first, second], [ALL, voters], [0.4, 0.6], 2)
    shown = np.where([abs(p // 28 - 10) < 2 and abs(p % 28 - 20) < 2 for p in range(784)], second, 0)
    assert both == pytest.approx((0.4 * anomaly_map(first) + 0.6 * anomaly_map(shown)) / 2)
    assert (mixed_map([first], [~ALL], [1], 1) == anomaly_map(first)).all()


# --- Distance ---


def test_the_two_sided_distance_calls_too_normal_odd_and_the_one_sided_does_not() -> None:
    head = Head(np.zeros(2), np.array([[1, 0.8], [0.8, 1]]), 0)
    corners = [np.array(c, float) for c in ((3, 3), (3, 0), (-3, -3))]
    assert [round(two_sided(head, c), 2) for c in corners] == [3.16, 5.0, 3.16]
    assert [round(one_sided(head, c), 2) for c in corners] == [3.16, 3.0, -3.0]


def test_the_one_sided_distance_is_the_minimum_that_a_general_solver_finds() -> None:
    rng = np.random.default_rng(6)
    for _ in range(60):
        mix = rng.normal(size=(3, 3))
        head = Head(rng.normal(size=3), mix @ mix.T + 0.1 * np.eye(3), 0)
        scores = rng.normal(size=3) * 3
        excess, inverse = scores - head.origin, np.linalg.inv(head.covariance)
        if excess.max() <= 0:
            assert one_sided(head, scores) == pytest.approx((excess / np.sqrt(np.diag(head.covariance))).max())
            continue
        found = minimize(
            lambda v, inverse=inverse: v @ inverse @ v,
            np.maximum(excess, 0) + 1,
            jac=lambda v, inverse=inverse: 2 * inverse @ v,
            bounds=[(low, None) for low in excess],
            options={"ftol": 1e-14, "gtol": 1e-10},
        )
        assert one_sided(head, scores) == pytest.approx(np.sqrt(found.fun), rel=1e-5)


def test_the_one_sided_distance_rises_with_every_score() -> None:
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(3, 3))
    head = Head(np.zeros(3), mix @ mix.T + 0.1 * np.eye(3), 0)
    for _ in range(200):
        scores = rng.normal(size=3) * 2
        more = scores + np.eye(3)[rng.integers(3)] * rng.random()
        assert one_sided(head, more) >= one_sided(head, scores) - 1e-9


def test_the_covariance_is_scikit_learns_ledoit_wolf_towards_the_diagonal() -> None:
    rng = np.random.default_rng(8)
    scores = rng.normal(size=(40, 3)) @ np.array([[1, 0.7, 0], [0, 1, 0.4], [0, 0, 1]]) * [1, 20, 0.3] + [5, 80, 1]
    head = fit_head(scores, np.array([0, 2.5, 1]))
    standard = (scores - scores.mean(0)) / scores.std(0, ddof=1)
    learned = LedoitWolf(assume_centered=True).fit(standard)
    assert head.shrinkage == pytest.approx(learned.shrinkage_)
    # Standardised columns have equal variances: shrinking towards their mean is shrinking towards the diagonal.
    scale = np.outer(scores.std(0), scores.std(0))
    off = ~np.eye(3, dtype=bool)
    assert (head.covariance / scale * 39 / 40)[off] == pytest.approx(learned.covariance_[off] * 40 / 39, rel=1e-9)
    assert np.diag(head.covariance) == pytest.approx(scores.var(0, ddof=1))
    assert head.origin == pytest.approx(scores.mean(0) + np.array([0, 2.5, 1]) * scores.std(0, ddof=1))


def test_few_parts_show_no_covariance_and_equal_scores_no_infinite_distance() -> None:
    scores = np.random.default_rng(9).normal(size=(19, 2)) + 10
    scores[:, 1] = scores[:, 0]
    few = fit_head(scores, np.zeros(2))
    assert few.shrinkage == 1 and few.covariance[0, 1] == 0
    equal = fit_head(np.full((5, 1), 4.0), np.zeros(1))
    assert one_sided(equal, np.array([4.004])) == pytest.approx(1)


# --- Normality ---


def test_the_curve_is_conformal_at_its_knots_and_falls_without_a_break() -> None:
    distances = np.random.default_rng(10).normal(size=30)
    curve = fit_curve(distances)
    for rank, distance in enumerate(np.sort(distances)[::-1], 1):
        assert normality_of(curve, distance) == pytest.approx(rank / 31)
    grid = np.linspace(-6, 6, 2000)
    values = np.array([normality_of(curve, distance) for distance in grid])
    assert (np.diff(values) < 0).all() and (values > 0).all() and (values < 1).all()
    for distance in distances:
        assert normality_of(curve, distance + 1e-9) == pytest.approx(normality_of(curve, distance - 1e-9), abs=1e-6)


def test_equal_distances_share_the_mean_of_their_ranks() -> None:
    curve = fit_curve(np.array([1.0, 2, 2, 3]))
    assert curve.distances.tolist() == [1, 2, 3]
    assert curve.normalities == pytest.approx([4 / 5, 2.5 / 5, 1 / 5])


def test_a_distance_is_found_again_from_its_normality() -> None:
    curve = fit_curve(np.random.default_rng(11).gamma(2, size=25))
    for distance in (-1, 0.3, 1.7, 2.2, 9.0):
        assert distance_at(curve, normality_of(curve, distance)) == pytest.approx(distance)


def test_every_part_is_calibrated_by_the_others() -> None:
    scores = np.random.default_rng(12).normal(size=(8, 2))
    _, curve = calibrate(scores, np.zeros(2))
    assert one_sided(fit_head(scores[1:], np.zeros(2)), scores[0]) in curve.distances


# --- From frames to features ---


def test_the_part_is_what_stands_on_the_table() -> None:
    v, u = np.mgrid[:60, :70]
    z = 0.5 + 0.01 * u / 70
    z[20:40, 25:50] -= 0.02
    points = np.stack([u * 0.001, v * 0.001, z], 2).astype(np.float32)
    points[30, 30] = 0
    expected = np.zeros((60, 70), bool)
    expected[20:40, 25:50] = True
    expected[30, 30] = False
    assert (part_of(points) == expected).all()
    points[0, 0, 2] -= 0.02
    with pytest.raises(ValueError, match="expected nothing but table"):
        part_of(points)


def test_groups_are_those_of_a_plain_search() -> None:
    points = np.random.default_rng(13).random((300, 3)).astype(np.float32)
    groups, centres = grouped(points, 10, 7)
    assert (centres[0] == points[0]).all() and len({tuple(c) for c in centres}) == 10
    for group, centre in zip(groups, centres, strict=True):
        expected = np.sort(np.linalg.norm(points.astype(float) - centre, axis=1))[:7]
        assert np.linalg.norm(group, axis=1) == pytest.approx(expected, abs=1e-6)


def test_pooling_agrees_with_the_trainings_own() -> None:
    rng = np.random.default_rng(14)
    raster = np.flatnonzero(rng.random(224 * 224) < 0.3)
    points = rng.random((len(raster), 3)).astype(np.float32)
    centres, tokens = points[::300], random_rows(len(points[::300]), 3, 15)
    patches = pooled(tokens, centres, points, raster)
    assert patches == pytest.approx(pool_tokens(tokens, centres, points, raster), abs=1e-5)
    # Whole cover and one token everywhere: that token everywhere.
    raster, points = np.arange(224 * 224), rng.random((224 * 224, 3)).astype(np.float32)
    assert pooled(np.full((9, 1), 0.75, np.float32), points[:9], points, raster) == pytest.approx(
        np.full((784, 1), 0.75)
    )


def test_foreground_counts_quarters_closes_slots_and_fills_holes() -> None:
    pixels = np.zeros((224, 224), bool)
    pixels[80:144, 80:144] = True
    pixels[100:120, 100:120] = False  # a bore
    pixels[80:144, 140:142] = False  # a slot
    pixels[16:20, 16:20] = True  # 16 of the 64
    pixels[32:35, 32:37] = True  # 15 of the 64
    foreground = foreground_of(np.flatnonzero(pixels))
    assert foreground[80:144, 80:144].all() and foreground.sum() == 64 * 64 + 16 + 15
    patches = voting(foreground).reshape(28, 28)
    expected = np.zeros((28, 28), bool)
    expected[10:18, 10:18] = True
    expected[2, 2] = True
    assert (patches == expected).all()


# --- The whole, and the bundles' golden vectors ---


def test_a_defect_fails_in_every_condition_that_can_see_it() -> None:
    square = np.zeros((28, 28), bool)
    square[4:24, 4:24] = True

    def part(seed: int, defect: float = 0) -> Seen:
        rgb, xyz = random_rows(784, 5, seed), random_rows(784, 4, seed + 500)
        rgb[400:404] += defect
        return Seen("complete", rgb, xyz, square.ravel())

    def fuse(seen: Seen) -> Rows:
        rgb = np.zeros((784, 5), np.float32) if seen.rgb is None else seen.rgb
        xyz = np.zeros((784, 4), np.float32) if seen.xyz is None else seen.xyz
        return np.concatenate([rgb, xyz], 1)

    taught = [part(1), part(2), part(3), narrowed(part(4), "rgb-only"), narrowed(part(5), "xyz-only")]
    repository: Repository = teach(taught, [part(seed) for seed in range(20, 44)], fuse)
    assert {key: len(bank) // repository.prior.sum() for key, bank in repository.banks.items()} == {
        "rgb": 4,
        "xyz": 4,
        "fused-complete": 3,
        "fused-rgb-only": 4,
        "fused-xyz-only": 4,
    }
    mixes: dict[Condition, MapHead] = {
        "complete": MapHead([0.4, 0.3, 0.3], 3),
        "rgb-only": MapHead([0.5, 0.5], 3),
        "xyz-only": MapHead([0.5, 0.5], 3),
    }
    for condition, mix in mixes.items():
        good, bad = (
            judge(narrowed(part(100, defect), condition), repository, fuse, mix, false_reject_rate=0.02)
            for defect in (0, 9)
        )
        sees = condition != "xyz-only"
        assert bad.fails == sees and not good.fails
        assert (bad.distance > good.distance) == sees
        assert (bad.map.max() > 1 and np.unravel_index(bad.map.argmax(), (224, 224))[0] // 8 == 14) or not sees


def test_parts_whose_background_would_be_drawn_by_chance_are_refused() -> None:
    small = np.zeros(784, bool)
    small[300:303] = True
    part = Seen("complete", random_rows(784, 3, 1), random_rows(784, 3, 2), small)
    with pytest.raises(ValueError, match="not all background"):
        teach([part], [part], lambda seen: random_rows(784, 3, 3))


@pytest.mark.parametrize("folder", ["models/bundles/radar-lite", "test/fixtures/tiny-bundle"])
def test_a_bundles_golden_fusion_is_reproduced(folder: str) -> None:
    bundle = GraphBundle(ROOT / folder)
    if "fusion" not in bundle.manifest:
        pytest.skip(f"{folder} is {bundle.manifest['schema']}: it has no fusion.onnx yet")
    golden = load_file(bundle.folder / bundle.manifest["golden"]["name"])
    part = Seen("complete", golden["rgb_tokens"][0], golden["xyz_patches"], ALL)
    conditions: list[Condition] = ["complete", "rgb-only", "xyz-only"]
    for condition in conditions:
        expected = golden["fused"][bundle.manifest["instructions"][condition]]
        answer = bundle.fuse(narrowed(part, condition))
        assert np.abs(answer - expected).max() <= bundle.manifest["golden"]["maxAbsoluteError"], condition
        assert answer.shape == (784, bundle.manifest["fusion"]["width"])


def test_the_known_answers_of_the_daemons_tests_are_reproduced() -> None:
    golden = json.loads((ROOT / "test/fixtures/decision/golden.json").read_text())
    known = golden["anomalyMap"]
    values = anomaly_map(np.array(known["patches"])).ravel()[known["pixels"]]
    assert values == pytest.approx(known["values"], abs=1e-9)
    known = golden["shrinkage"]
    head: Head = fit_head(np.array(known["rows"]), np.zeros(3))
    assert head.covariance == pytest.approx(np.array(known["covariance"]))
    assert two_sided(head, np.array(known["probe"])) == pytest.approx(known["twoSided"])
    curve: Curve = fit_curve(np.arange(4.0))
    assert curve.upper_tail == pytest.approx(2)


def test_the_end_to_end_fixture_is_of_this_reference() -> None:
    expected = json.loads((ROOT / "test/fixtures/end-to-end/expected.json").read_text())
    for condition, known in expected["heads"].items():
        head, curve = calibrate(np.array(known["scores"]), np.array(ALLOWANCES[condition]))
        assert head.covariance == pytest.approx(np.array(known["covariance"]))
        assert curve.distances == pytest.approx(np.array(known["distances"]))
        for verdicts in expected["verdicts"].values():
            verdict = verdicts[condition]
            assert one_sided(head, np.array(verdict["scores"])) == pytest.approx(verdict["distance"])
            assert normality_of(curve, verdict["distance"]) == pytest.approx(verdict["normality"])
