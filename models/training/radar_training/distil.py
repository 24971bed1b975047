"""Distils the RGB encoder from the teacher on procedural pictures.

    python -m radar_training.distil --teacher mobilenet.onnx --pictures FOLDER --out rgb.pt --minutes 50

The folder is read again every 400 steps, so pictures may still be drawn while this runs. The length is wall-clock,
because a shared machine's speed is not known beforehand; the steps made are recorded in the checkpoint.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .augment import SIZE, training_crops
from .bundle import MEAN, STD
from .rgb_encoder import StudentTaps, patch_features
from .teacher import Standardisation, Teacher

#: Weight of each tap in the loss: 56 x 56 only guides the stem and is not exported.
TAP_WEIGHTS = (0.3, 1.0, 1.0)
WARM_UP = 0.03
#: Most of the run sees crops of 160 pixels: half the cost, so twice the pictures. The rest sees what the device will.
SMALL, SMALL_UNTIL = 160, 0.7


class Pool:
    """Shards of pictures on disk, sampled with equal chance per picture; the first shard is held out for validation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: list[NDArray[np.uint8]] = []
        self.refresh()

    def refresh(self) -> None:
        paths = sorted(self.folder.glob("*.npy"))
        if len(paths) > len(self.shards) + 1:
            held_out, *training = paths
            self.held_out = np.load(held_out, mmap_mode="r")
            self.shards = [np.load(path, mmap_mode="r") for path in training]

    def sample(self, count: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
        which = rng.integers(len(self.shards), size=count)
        return [self.shards[s][rng.integers(len(self.shards[s]))] for s in which]

    @property
    def size(self) -> int:
        return sum(len(shard) for shard in self.shards)


def normalised(pixels: Tensor) -> Tensor:
    """Pixel values 0..255 -> the encoder's input."""
    mean, std = torch.tensor(MEAN).reshape(3, 1, 1), torch.tensor(STD).reshape(3, 1, 1)
    return (pixels / 255 - mean) / std


class Distilled(nn.Module):
    """The student with a throw-away head for the 56 x 56 tap."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = StudentTaps()
        self.tap56 = nn.Conv2d(64, 24, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        stem = self.taps.stem(images)
        fine = self.taps.fine(stem)
        return [self.tap56(stem), self.taps.tap28(fine), self.taps.tap14(self.taps.coarse(fine))]


def tap_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Error of the values plus error of the direction: nearest neighbours depend on both."""
    student = student.float()
    cosine = F.cosine_similarity(student, teacher, dim=1).mean()
    return F.smooth_l1_loss(student, teacher) + (1 - cosine)


def learning_rate(progress: float, peak: float) -> float:
    """Linear warm-up, then half a cosine. `progress` runs from 0 to 1."""
    if progress < WARM_UP:
        return peak * progress / WARM_UP
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def warming_average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Exponential average whose memory grows to 500 steps, so that the random start is forgotten."""
    return averaged + (current - averaged) / torch.clamp((torch.as_tensor(count) + 10) / 5, max=500)


def fidelity(student: nn.Module, teacher: Teacher, standard: Standardisation, pixels: Tensor) -> dict[str, float]:
    """Mean cosine per location between student and teacher: per tap, and of the final patch features."""
    student.eval()
    sums: dict[str, list[float]] = {"cosine28": [], "cosine14": [], "cosinePatch": []}
    with torch.no_grad():
        for chunk in pixels.split(16):
            _, wanted28, wanted14 = standard.apply(teacher.taps(chunk))
            got28, got14 = (tap.float() for tap in student(normalised(chunk))[-2:])
            sums["cosine28"].append(float(F.cosine_similarity(got28, wanted28).mean()))
            sums["cosine14"].append(float(F.cosine_similarity(got14, wanted14).mean()))
            patches = F.cosine_similarity(patch_features(got28, got14), patch_features(wanted28, wanted14))
            sums["cosinePatch"].append(float(patches.mean()))
    return {name: round(float(np.mean(values)), 4) for name, values in sums.items()}


def distil(
    teacher: Teacher,
    pool: Pool,
    out: Path,
    *,
    minutes: float,
    batch: int,
    rate: float,
    seed: int,
    resume: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train until the time is up; checkpoints hold the averaged weights. Returns the last report."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    measured = [teacher.taps(training_crops(pool.sample(32, rng), rng)) for _ in range(16)]
    standard = Standardisation.measure([torch.cat(tap) for tap in zip(*measured, strict=True)])
    student = Distilled()
    before = {"step": 0, "minutes": 0.0} if resume is None else resume["report"]
    if resume is not None:
        student.taps.load_state_dict(resume["taps"])
        standard = Standardisation(resume["means"], resume["stds"])
    student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(student, avg_fn=warming_average, use_buffers=True)
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.02)
    held_out = torch.from_numpy(pool.held_out[:192, 16 : 16 + SIZE, 16 : 16 + SIZE].copy()).permute(0, 3, 1, 2).float()

    started, step, loss_mean, report = time.monotonic(), 0, 0.0, dict[str, Any]()
    while True:
        elapsed = (time.monotonic() - started) / 60
        if elapsed >= minutes or step % 400 == 399:
            report = {"seed": seed, "step": before["step"] + step, "minutes": round(before["minutes"] + elapsed, 1)}
            report |= {"pictures": pool.size}
            report |= {"loss": round(loss_mean, 4)} | fidelity(averaged, teacher, standard, held_out)
            state = {
                "taps": cast(Distilled, averaged.module).taps.state_dict(),
                "means": standard.means,
                "stds": standard.stds,
            }
            save(out, state | {"report": report})
            print(json.dumps(report), flush=True)
            pool.refresh()
        if elapsed >= minutes:
            return report
        optimiser.param_groups[0]["lr"] = learning_rate(elapsed / minutes, rate)
        size = SMALL if elapsed < SMALL_UNTIL * minutes else SIZE
        pixels = training_crops(pool.sample(batch, rng), rng, size)
        wanted = standard.apply(teacher.taps(pixels))
        student.train()
        with torch.autocast("cpu", torch.bfloat16):
            got = student(normalised(pixels).contiguous(memory_format=torch.channels_last))
        losses = [tap_loss(g, w) * weight for g, w, weight in zip(got, wanted, TAP_WEIGHTS, strict=True)]
        loss = torch.stack(losses).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        optimiser.step()
        averaged.update_parameters(student)
        step += 1
        loss_mean += (float(loss.detach()) - loss_mean) / min(step, 50)


def save(out: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash leaves the old one or the new one."""
    part = out.with_suffix(".part")
    torch.save(state, part)
    part.replace(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from, under a new schedule")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(json.dumps({k: str(v) for k, v in vars(args).items()} | {"torch": torch.__version__}), flush=True)
    distil(
        Teacher(args.teacher, args.threads),
        Pool(args.pictures),
        args.out,
        minutes=args.minutes,
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
        resume=torch.load(args.resume) if args.resume else None,
    )


if __name__ == "__main__":
    main()
