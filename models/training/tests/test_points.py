"""Grouping, descriptions and pooling, against plain loops."""

import numpy as np

from radar_training.clouds import draw_cloud
from radar_training.geometry import RADII_METRES, WIDTH, describe
from radar_training.parts import fit_plane
from radar_training.point_groups import farthest_points, group_points
from radar_training.token_grid import pool_tokens, windows


def test_farthest_points_agree_with_the_plain_loop() -> None:
    points = np.random.default_rng(1).random((200, 3)).astype(np.float32)
    chosen = [0]
    while len(chosen) < 20:
        nearest = np.min([((points - points[c]) ** 2).sum(1) for c in chosen], 0)
        chosen.append(int(nearest.argmax()))
    assert farthest_points(points, 20).tolist() == chosen


def test_groups_start_with_their_centre_and_grow_outwards() -> None:
    groups, centres = group_points(draw_cloud(np.random.default_rng(3)))
    assert groups.shape == (512, 48, 3) and centres.shape == (512, 3)
    distance = np.linalg.norm(groups, axis=2)
    assert (distance[:, 0] == 0).all()
    assert (np.diff(distance, axis=1) >= -1e-9).all()


def test_descriptions_survive_a_turn_about_the_viewing_axis() -> None:
    points = draw_cloud(np.random.default_rng(4))
    centres = points[farthest_points(points, 64)]
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    before, after = describe(points, centres), describe(points @ turn.T, centres @ turn.T)
    assert before.shape == (64, WIDTH) and np.isfinite(before).all()
    assert np.median(np.abs(before - after)) < 1e-3


def test_a_dent_changes_the_description_where_it_is() -> None:
    y, x = np.mgrid[-0.02:0.02:120j, -0.02:0.02:120j]
    flat = np.stack([x, y, np.full_like(x, 0.4)], 2).reshape(-1, 3)
    dented = flat.copy()
    dented[:, 2] += 0.0015 * np.exp(-((np.hypot(x, y) / 0.003) ** 2)).ravel()
    centres = np.array([[0, 0, 0.4], [0.014, 0.014, 0.4]])
    change = np.abs(describe(flat, centres) - describe(dented, centres + np.array([[0, 0, 0.0015], [0, 0, 0]]))).sum(1)
    assert min(RADII_METRES) < 0.006 and change[0] > 3 * change[1]


def test_pooling_windows_are_those_of_adaptive_average_pooling() -> None:
    assert windows()[:3] == [(0, 8), (7, 16), (15, 24)] and windows()[-1][1] == 222


def test_constant_tokens_pool_to_the_covered_share() -> None:
    # Every pixel holds a point, so every patch is the token itself.
    y, x = np.mgrid[0:224, 0:224] * 0.0005
    points = np.stack([x, y, np.full_like(x, 0.4)], 2).reshape(-1, 3).astype(np.float32)
    raster = np.arange(224 * 224)
    tokens = np.full((16, 2), [3.0, -1.0], np.float32)
    grid = pool_tokens(tokens, points[:: len(points) // 15][:16], points, raster)
    np.testing.assert_allclose(grid, np.tile([3.0, -1.0], (784, 1)), rtol=1e-4)


def test_the_plane_is_found_under_a_part() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.random((400, 2)), np.full(400, 0.5) + rng.normal(0, 1e-4, 400)])
    part = np.column_stack([rng.random((80, 2)), 0.5 - rng.random(80) * 0.05])
    plane = fit_plane(np.concatenate([table, part]).astype(np.float32), seed=1)
    assert abs(abs(plane[2]) - 1) < 1e-3 and abs(abs(plane[3]) - 0.5) < 1e-3
