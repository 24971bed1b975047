"""Both trainings make their loss fall, on almost nothing and in seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from radar_training.augment import training_crops
from radar_training.cloud_pool import procedural_clouds, write_shards
from radar_training.distil import Distilled, learning_rate, normalised, tap_loss
from radar_training.masked_points import LOSS_WEIGHTS, CloudPool, MaskedPoints, turned
from radar_training.procedural import draw_picture


def test_pictures_are_the_same_for_the_same_seed_and_differ_between_seeds() -> None:
    first, again, other = (draw_picture(np.random.default_rng(seed), 96) for seed in (1, 1, 2))
    assert first.shape == (96, 96, 3) and first.dtype == np.uint8
    assert (first == again).all() and (first != other).any()


def test_many_pictures_are_neither_empty_nor_alike() -> None:
    pictures = np.stack([draw_picture(np.random.default_rng([7, i]), 64) for i in range(24)])
    assert np.median(pictures.std(axis=(1, 2)).mean(1)) > 10
    assert len({picture.tobytes() for picture in pictures}) == 24


@pytest.mark.parametrize("size", [160, 224])
def test_crops_have_the_asked_size_and_whole_pixel_values(size: int) -> None:
    picture = draw_picture(np.random.default_rng(1), 256)
    crops = training_crops([picture] * 3, np.random.default_rng(0), size)
    assert crops.shape == (3, 3, size, size)
    assert (crops == crops.round()).all() and crops.min() >= 0 and crops.max() <= 255


def test_the_rate_warms_up_and_ends_at_zero() -> None:
    assert learning_rate(0, 1) == 0
    assert learning_rate(0.03, 1) == pytest.approx(1)
    assert learning_rate(1, 1) == pytest.approx(0)


def test_distillation_lowers_the_loss() -> None:
    torch.manual_seed(0)
    pixels = torch.from_numpy(np.stack([draw_picture(np.random.default_rng(i), 64) for i in range(4)]))
    images = normalised(pixels.permute(0, 3, 1, 2).float())
    student = Distilled()
    wanted = [torch.randn_like(tap) for tap in student(images)]
    optimiser = torch.optim.AdamW(student.parameters(), 2e-3)
    losses = []
    for _ in range(12):
        loss = torch.stack([tap_loss(g, w) for g, w in zip(student(images), wanted, strict=True)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_masked_training_lowers_every_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    write_shards(tmp_path, "test", procedural_clouds(2, seed=1))
    pool = CloudPool(tmp_path)
    batch = pool.held_out(2)
    model = MaskedPoints()
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    history = []
    for _ in range(8):
        losses = model(*batch)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    for name in LOSS_WEIGHTS:
        assert history[-1][name] < history[0][name], name


def test_turning_a_cloud_moves_groups_and_centres_by_one_map() -> None:
    centres = torch.randn(1, 6, 3) * 0.01
    # Each group holds the offsets to all centres, so after the turn it must still point at them.
    offsets = centres[:, None] - centres[:, :, None]
    groups, moved = turned(offsets, centres, np.random.default_rng(0))
    wanted = moved[:, None] - moved[:, :, None]
    # Sensor noise, at most 0.12 mm rms, is added along z alone.
    torch.testing.assert_close(groups[..., :2], wanted[..., :2], atol=1e-6, rtol=0)
    torch.testing.assert_close(groups[..., 2], wanted[..., 2], atol=1e-3, rtol=0)
    assert (moved - centres).abs().max() > 1e-3
