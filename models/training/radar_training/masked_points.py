"""Trains the XYZ encoder without labels: masked groups are reconstructed (Point-MAE) and surfaces described.

    python -m radar_training.masked_points --clouds FOLDER --out xyz.pt --minutes 30

Two losses. Chamfer: from 40 % of the groups a small decoder draws the points of the others. Description: every token,
seen or masked, predicts the hand-made description of geometry.py; it makes tokens resolve dents that a reconstruction
loss averages away. The length is wall-clock, as in distil.py.
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
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .distil import learning_rate, save, warming_average
from .geometry import WIDTH as TARGET_WIDTH
from .xyz_encoder import GROUP_SCALE_METRES, TOKEN_WIDTH, WIDTH, XyzBackbone, encoder_block

MASKED = 0.6
#: Points drawn per masked group.
DRAWN = 24


class CloudPool:
    """Shards of grouped clouds; the first is held out. Read again when asked, so that clouds may still be added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.shards: list[dict[str, Any]] = []
        self.refresh()
        wanted = np.concatenate([shard["targets"].reshape(-1, TARGET_WIDTH)[::7] for shard in self.shards])
        self.mean = torch.from_numpy(wanted.astype(np.float32).mean(0))
        self.std = torch.from_numpy(wanted.astype(np.float32).std(0)).clamp_min(0.02)

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("*.npz")):
            if path.name not in self.names:
                self.names.append(path.name)
                self.shards.append(dict(np.load(path)))

    @property
    def size(self) -> int:
        return sum(len(shard["centres"]) for shard in self.shards)

    def take(self, picks: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor]:
        """(shard, index) pairs -> groups in metres, centres, standardised targets."""
        groups = np.stack([self.shards[s]["groups"][i] for s, i in picks]).astype(np.float32) / 1000
        centres = np.stack([self.shards[s]["centres"][i] for s, i in picks])
        targets = torch.from_numpy(np.stack([self.shards[s]["targets"][i] for s, i in picks]).astype(np.float32))
        targets = ((targets - self.mean) / self.std).clamp(-5, 5)
        return torch.from_numpy(groups), torch.from_numpy(centres), targets

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        shards = rng.integers(1, len(self.shards), count)
        return self.take([(int(s), int(rng.integers(len(self.shards[s]["centres"])))) for s in shards])

    def held_out(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        return self.take([(0, index) for index in range(min(count, len(self.shards[0]["centres"])))])


def turned(groups: Tensor, centres: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each cloud turned about z, mirrored, tilted and scaled a little, with fresh sensor noise."""
    maps = []
    for _ in range(len(groups)):
        turn, (a, b), scale = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.03, 2), np.exp(rng.normal(0, 0.06))
        mirror = rng.choice([-1.0, 1.0])
        c, s = np.cos(turn), np.sin(turn)
        about_z = np.array([[c * mirror, -s, 0], [s * mirror, c, 0], [0, 0, 1]])
        tilt = np.array([[1, 0, a], [0, 1, b], [-a, -b, 1]])
        maps.append(scale * tilt @ about_z)
    matrix = torch.from_numpy(np.stack(maps).astype(np.float32)).transpose(1, 2)
    noise = torch.from_numpy(rng.normal(0, rng.uniform(0, 1.2e-4), groups.shape).astype(np.float32))
    noise[..., :2] = 0
    middle = centres.mean(1, keepdim=True)
    return groups @ matrix[:, None] + noise, (centres - middle) @ matrix + middle


class MaskedPoints(nn.Module):
    """The backbone with its training heads, which are thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = XyzBackbone()
        self.mask_token = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.decoder = nn.ModuleList(encoder_block() for _ in range(2))
        self.decoder_norm = nn.LayerNorm(WIDTH)
        self.draw = nn.Linear(WIDTH, DRAWN * 3)
        self.describe_token = nn.Linear(TOKEN_WIDTH, TARGET_WIDTH)
        self.describe_masked = nn.Linear(WIDTH, TARGET_WIDTH)

    def forward(self, groups: Tensor, centres: Tensor, targets: Tensor) -> dict[str, Tensor]:
        batch, count = centres.shape[:2]
        tokens, position = self.backbone.embed(groups), self.backbone.place(centres)
        described = self.describe_token(self.backbone.attend(tokens, position))

        order = torch.rand(batch, count).argsort(1)
        kept = int(count * (1 - MASKED))
        seen, hidden = order[:, :kept, None], order[:, kept:, None]

        def pick(values: Tensor, index: Tensor) -> Tensor:
            return values.gather(1, index.expand(-1, -1, values.shape[2]))

        context = self.backbone.attend(pick(tokens, seen), pick(position, seen))[..., -WIDTH:]
        guesses = torch.cat([context, self.mask_token.expand(batch, count - kept, WIDTH)], 1)
        place = torch.cat([pick(position, seen), pick(position, hidden)], 1)
        for block in self.decoder:
            guesses = block(guesses + place)
        guesses = self.decoder_norm(guesses[:, kept:])
        drawn = self.draw(guesses).reshape(batch, count - kept, DRAWN, 3)
        wanted = pick(groups.flatten(2), hidden).reshape(batch, count - kept, -1, 3) / GROUP_SCALE_METRES
        return {
            "describe": F.smooth_l1_loss(described, targets),
            "masked": F.smooth_l1_loss(self.describe_masked(guesses), pick(targets, hidden)),
            "chamfer": chamfer(drawn, wanted[:, :, ::2]),
        }


def chamfer(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance to the nearest point of the other set, both ways: [...,n,3] and [...,m,3]."""
    squared = (drawn.unsqueeze(-2) - wanted.unsqueeze(-3)).square().sum(-1)
    return squared.amin(-1).mean() + squared.amin(-2).mean()


#: Description of seen tokens leads; the other two keep context and positions in the tokens.
LOSS_WEIGHTS = {"describe": 1.0, "masked": 0.4, "chamfer": 0.3}


def validate(model: nn.Module, pool: CloudPool) -> dict[str, float]:
    model.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        chunks = zip(*(values.split(8) for values in pool.held_out(40)), strict=True)
        losses = [model(*chunk) for chunk in chunks]
    return {name: round(float(torch.stack([loss[name] for loss in losses]).mean()), 4) for name in LOSS_WEIGHTS}


def train(pool: CloudPool, out: Path, *, minutes: float, batch: int, rate: float, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = MaskedPoints()
    averaged = AveragedModel(model, avg_fn=warming_average)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.03)
    started, step, report = time.monotonic(), 0, dict[str, Any]()
    means = dict.fromkeys(LOSS_WEIGHTS, 0.0)
    while True:
        elapsed = (time.monotonic() - started) / 60
        if elapsed >= minutes or step % 200 == 199:
            report = {"seed": seed, "step": step, "minutes": round(elapsed, 1), "clouds": pool.size}
            report |= {name: round(value, 4) for name, value in means.items()} | {"heldOut": validate(averaged, pool)}
            save(out, {"backbone": cast(MaskedPoints, averaged.module).backbone.state_dict(), "report": report})
            print(json.dumps(report), flush=True)
            pool.refresh()
        if elapsed >= minutes:
            return report
        optimiser.param_groups[0]["lr"] = learning_rate(elapsed / minutes, rate)
        groups, centres, targets = pool.sample(batch, rng)
        model.train()
        losses = model(*turned(groups, centres, rng), targets)
        loss = torch.stack([weight * losses[name] for name, weight in LOSS_WEIGHTS.items()]).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        averaged.update_parameters(model)
        step += 1
        for name in means:
            means[name] += (float(losses[name].detach()) - means[name]) / min(step, 50)
        if not math.isfinite(means["describe"]):
            raise RuntimeError(f"training diverged at step {step}: {means}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clouds", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(json.dumps({k: str(v) for k, v in vars(args).items()} | {"torch": torch.__version__}), flush=True)
    train(CloudPool(args.clouds), args.out, minutes=args.minutes, batch=args.batch, rate=args.rate, seed=args.seed)


if __name__ == "__main__":
    main()
