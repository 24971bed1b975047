"""Trains the fusion on token sets: context (lite only), stage 1, stage 2.

    python -m radar_training.train_fusion --config lite --tokens TOKENS --out RUN
    torchrun --nproc-per-node 4 -m radar_training.train_fusion --config base --transformer dino.pth --tokens TOKENS ...

RUN gets config.json (everything that repeats the run), curve.csv and curve.png, and checkpoint.pt, from which
`--resume` goes on as if nothing had happened. Runs on a CPU, one GPU, or several under torchrun; seeds are fixed and
recorded, and with one thread a run is repeatable.
`--parts mii,alm,dphm` leaves parts of RADAR out, for the ablation.
"""

import argparse
import csv
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .alignment import Alignment
from .bundle import write_whole
from .context import MaskedContext
from .distil import learning_rate, save
from .double_pseudo import SIGMA_QUANTILE, SIGMA_SHARE, DoublePseudo, local_features, local_foreground
from .fusion import CONDITIONS, CONFIGS, FusionConfig, InstructionFusion, Parts
from .token_sets import Batch, TokenSet

STAGES = ("context", "align", "double-pseudo")
#: Learning rates (paper, App. A): instructions 1e-2, the MLPs 1e-3; the paper names none for the rest.
INSTRUCTION_RATE, RATE, CONTEXT_RATE = 1e-2, 1e-3, 1e-3


@dataclass(frozen=True)
class Schedule:
    context: int
    align: int
    double_pseudo: int
    batch: int = 16
    missing_rate: float = 0.7
    seed: int = 1

    def steps(self, stage: str) -> int:
        return {"context": self.context, "align": self.align, "double-pseudo": self.double_pseudo}[stage]


class Radar(nn.Module):
    """Everything that is trained, as one module: the loss terms of a stage for a batch."""

    def __init__(self, config: FusionConfig, parts: Parts) -> None:
        super().__init__()
        self.fusion = InstructionFusion(config, parts)
        self.context = MaskedContext(self.fusion)
        self.alignment = Alignment(config)
        self.double_pseudo = DoublePseudo(config)

    def forward(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        if stage == "context":
            return {"context": self.context(batch.rgb, batch.xyz, batch.condition)}
        fused = self.fusion(batch.rgb, batch.xyz, batch.condition)
        losses = {"align": self.alignment(fused, batch.targets.covered)}
        if stage == "double-pseudo":
            # The paper weighs the three terms nowhere: each counts once.
            losses["reconstruction"] = self.double_pseudo.reconstruction(fused, batch.condition, batch.targets)
            losses["contrast"] = self.double_pseudo.contrast(fused, batch.condition, batch.targets.covered)
        return losses


def parameter_table(config: FusionConfig) -> list[tuple[str, int]]:
    """Trained parameters by item, as the paper counts them: weights and biases once, frozen backbones not."""
    radar = Radar(config, Parts())
    fusion, branches = radar.fusion, radar.double_pseudo
    assert fusion.instructions is not None

    def count(*modules: nn.Module) -> int:
        return sum(parameter.numel() for module in modules for parameter in module.parameters())

    mlps = (fusion.mlp_xyz, fusion.mlp_rgb)
    return [
        ("instructions", fusion.instructions.numel()),
        ("projection of xyz", count(fusion.project_xyz)),
        ("modality embeddings", fusion.modality.numel()),
        ("norm after the transformer", count(fusion.norm)),
        ("norms before the MLPs", count(*(mlp.norm for mlp in mlps))),
        ("MLP_rgb and MLP_pc", count(*(mlp.layers for mlp in mlps))),
        ("contrastive heads", count(radar.alignment)),
        ("hypernetworks", count(*(mlp.hyper for mlp in mlps))),
        ("2D decoder", count(branches.picture)),
        ("3D decoder", count(branches.points)),
        ("upsampling network", count(branches.upsampler)),
        ("one-class machine (fitted on the device)", 3 + 1),
    ]


def trained_stages(config: FusionConfig, parts: Parts) -> list[str]:
    return [
        stage
        for stage in STAGES
        if not (stage == "context" and config.name == "base") and (stage != "double-pseudo" or parts.double_pseudo)
    ]


def optimiser_of(radar: Radar, stage: str) -> torch.optim.AdamW:
    """The parameters that a stage trains; all else is frozen for its time."""
    radar.requires_grad_(False)
    fusion = radar.fusion
    if stage == "context":
        trained = [fusion.transformer, fusion.project_xyz, radar.context.draw_rgb, radar.context.draw_xyz]
        for module in trained:
            module.requires_grad_(True)
        fusion.modality.requires_grad_(True)
        parameters = [fusion.modality, *(p for module in trained for p in module.parameters())]
        return torch.optim.AdamW(parameters, lr=CONTEXT_RATE, weight_decay=0.02)
    fusion.requires_grad_(True)
    fusion.transformer.requires_grad_(False)
    radar.alignment.requires_grad_(True)
    if stage == "double-pseudo":
        radar.double_pseudo.requires_grad_(True)
    trainable = [p for p in radar.parameters() if p.requires_grad and p is not fusion.instructions]
    groups: list[dict[str, Any]] = [{"params": trainable, "lr": RATE, "weight_decay": 0.01}]
    if fusion.instructions is not None:
        groups.append({"params": [fusion.instructions], "lr": INSTRUCTION_RATE, "weight_decay": 0.0})
    return torch.optim.AdamW(groups)


class Run:
    """One training in one folder: state, checkpoints, curve. Under torchrun only rank 0 writes."""

    def __init__(
        self, config: FusionConfig, parts: Parts, schedule: Schedule, tokens: TokenSet, out: Path, device: torch.device
    ) -> None:
        self.schedule, self.tokens, self.out, self.device = schedule, tokens, out, device
        self.rank = distributed.get_rank() if distributed.is_initialized() else 0
        torch.manual_seed(schedule.seed)
        self.radar = Radar(config, parts).to(device)
        self.stages = trained_stages(config, parts)
        self.stage, self.step = self.stages[0], 0
        self.rng = np.random.default_rng([schedule.seed, self.rank])
        self.optimiser = optimiser_of(self.radar, self.stage)
        self.curve: list[dict[str, Any]] = []
        #: The fusion as the context stage left it, for runs that start from it.
        self.context: dict[str, Tensor] = {}
        self.about = {
            "config": config.as_dict(),
            "parts": str(parts),
            "schedule": asdict(schedule),
            "encoders": tokens.encoders,
            "samples": len(tokens),
            "torch": str(torch.__version__),
            "world": distributed.get_world_size() if distributed.is_initialized() else 1,
        }

    def save(self) -> None:
        if self.rank != 0:
            return
        state = {
            "radar": self.radar.state_dict(),
            "context": self.context,
            "optimiser": self.optimiser.state_dict(),
            "stage": self.stage,
            "step": self.step,
            "numpy": json.dumps(self.rng.bit_generator.state),
            "torch": torch.get_rng_state(),
            "curve": self.curve,
            "about": self.about,
        }
        save(self.out / "checkpoint.pt", state)
        write_whole(self.out / "config.json", (json.dumps(self.about, indent=2) + "\n").encode())
        write_curve(self.out, self.curve)

    def resume(self, path: Path) -> None:
        """Raises ValueError when the checkpoint is of another run."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for key in ("config", "parts", "schedule", "encoders"):
            if json.dumps(state["about"][key]) != json.dumps(self.about[key]):
                raise ValueError(f"{path}: {key} is {state['about'][key]}, expected {self.about[key]}")
        self.stage, self.step = state["stage"], state["step"]
        self.radar.load_state_dict(state["radar"])
        self.optimiser = optimiser_of(self.radar, self.stage)
        self.optimiser.load_state_dict(state["optimiser"])
        if self.rank == 0:
            # Other ranks go on with fresh draws: their streams are not stored.
            self.rng.bit_generator.state = json.loads(state["numpy"])
            torch.set_rng_state(state["torch"].cpu())
        self.curve, self.context = state["curve"], state["context"]

    def take_context(self, run: Path) -> None:
        """Start after the context stage of another run of the same sizes, so that two runs differ in the rest alone."""
        state = torch.load(run / "checkpoint.pt", map_location=self.device, weights_only=True)
        for key in ("config", "encoders"):
            if json.dumps(state["about"][key]) != json.dumps(self.about[key]):
                raise ValueError(f"{run}: {key} is {state['about'][key]}, expected {self.about[key]}")
        taken = ("transformer.", "project_xyz.", "modality")
        wanted = {name: value for name, value in state["context"].items() if name.startswith(taken)}
        self.radar.fusion.load_state_dict(wanted, strict=False)
        self.context = state["context"]
        self.enter("align")

    def enter(self, stage: str) -> None:
        if self.stage == "context" and stage == "align" and not self.context:
            self.context = {name: value.clone() for name, value in self.radar.fusion.state_dict().items()}
        self.stage, self.step = stage, 0
        self.optimiser = optimiser_of(self.radar, stage)
        if stage == "double-pseudo":
            self.measure_sigma()

    def measure_sigma(self) -> None:
        """Fill the bank from 30 % of the data, then take the 95th percentile of its scores per condition (App. A)."""
        count = max(self.schedule.batch, round(SIGMA_SHARE * len(self.tokens)))
        chosen = np.random.default_rng(self.schedule.seed).permutation(len(self.tokens))[:count]
        bank = self.radar.double_pseudo.bank
        self.radar.eval()
        found: list[list[Tensor]] = [[] for _ in CONDITIONS]
        with torch.no_grad():
            for is_filling in (True, False):
                for start in range(0, count, self.schedule.batch):
                    batch = self.to_device(
                        self.tokens.take(np.sort(chosen[start : start + self.schedule.batch]), None, 0)
                    )
                    for index in range(len(CONDITIONS)):
                        narrowed = self.tokens.narrowed(batch, index)
                        if narrowed is None:
                            continue
                        local = local_features(self.radar.fusion(narrowed.rgb, narrowed.xyz, narrowed.condition))
                        inside = local_foreground(narrowed.targets.covered)
                        if is_filling:
                            bank.store(local, inside, narrowed.condition)
                        else:
                            found[index].append(bank.scores(local, narrowed.condition)[inside])
            for index, scores in enumerate(found):
                if scores:
                    bank.sigma[index] = torch.cat(scores).float().quantile(SIGMA_QUANTILE)

    def to_device(self, batch: Batch) -> Batch:
        targets = type(batch.targets)(*(value.to(self.device) for value in batch.targets))
        return Batch(batch.rgb.to(self.device), batch.xyz.to(self.device), batch.condition.to(self.device), targets)

    def train(self, every: int, stop_after: int | None = None) -> None:
        """To the end, or for `stop_after` steps; a checkpoint every `every` steps and at the end of a stage."""
        started, made = time.monotonic(), 0
        while True:
            total = self.schedule.steps(self.stage)
            model = self.wrapped()
            while self.step < total:
                if stop_after is not None and made >= stop_after:
                    self.save()
                    return
                losses = self.one_step(model, total)
                self.step += 1
                made += 1
                if self.step % every == 0 or self.step == total:
                    row = {"stage": self.stage, "step": self.step, "seconds": round(time.monotonic() - started, 1)}
                    self.curve.append(row | losses)
                    if self.rank == 0:
                        print(json.dumps(row | losses), flush=True)
                    self.save()
            following = self.stages[self.stages.index(self.stage) + 1 :]
            if not following:
                self.save()
                return
            self.enter(following[0])

    def wrapped(self) -> nn.Module:
        if not distributed.is_initialized():
            return self.radar
        return DistributedDataParallel(self.radar, find_unused_parameters=True, broadcast_buffers=False)

    def one_step(self, model: nn.Module, total: int) -> dict[str, float]:
        rates = [group.setdefault("peak", group["lr"]) for group in self.optimiser.param_groups]
        for group, peak in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = learning_rate((self.step + 1) / total, peak)
        indices = self.rng.integers(len(self.tokens), size=self.schedule.batch)
        batch = self.to_device(self.tokens.take(indices, self.rng, self.schedule.missing_rate))
        model.train()
        # The layers that need it (norms, losses, the cross-entropies' logits) stay in fp32.
        with torch.autocast(self.device.type, torch.bfloat16):
            losses = cast(dict[str, Tensor], model(batch, self.stage))
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise RuntimeError(f"training diverged in {self.stage} at step {self.step}: {losses}")
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in self.radar.parameters() if p.requires_grad], 1.0)
        self.optimiser.step()
        return {name: round(float(value.detach()), 4) for name, value in losses.items()}


def write_curve(out: Path, curve: list[dict[str, Any]]) -> None:
    """curve.csv, and curve.png with one line per loss over all steps."""
    names = list(dict.fromkeys(name for row in curve for name in row))
    with open(out / "curve.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows(curve)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name in names:
        if name in ("stage", "step", "seconds"):
            continue
        places = [place for place, row in enumerate(curve) if name in row]
        axes.plot(places, [curve[place][name] for place in places], label=name)
    axes.set(xlabel="reports", ylabel="loss", yscale="log")
    if axes.lines:
        axes.legend()
    figure.savefig(out / "curve.png", dpi=110)
    pyplot.close(figure)


def take_transformer(fusion: InstructionFusion, checkpoint: Path) -> None:
    """The frozen blocks of `base`: the last four of the official DINO ViT-B/8 checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    count = len(fusion.transformer.blocks)
    deepest = max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    first = deepest + 1 - count
    wanted = {
        f"{int(name.split('.')[1]) - first}.{name.split('.', 2)[2]}": value
        for name, value in state.items()
        if name.startswith("blocks.") and int(name.split(".")[1]) >= first
    }
    fusion.transformer.blocks.load_state_dict(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", choices=sorted(CONFIGS), required=True)
    parser.add_argument("--tokens", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", type=Parts.parse, default=Parts(), help="mii,alm,dphm or none (default: all)")
    parser.add_argument("--transformer", type=Path, help="base: the official DINO ViT-B/8 checkpoint")
    parser.add_argument("--context-of", type=Path, help="lite: a run whose frozen transformer is taken")
    parser.add_argument("--context-steps", type=int, default=500)
    parser.add_argument("--align-steps", type=int, default=500)
    parser.add_argument("--double-pseudo-steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--missing-rate", type=float, default=0.7, help="share of complete samples that lose a modality"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=20, help="steps between reports and checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt")
    parser.add_argument("--stop-after", type=int, help="make at most so many steps in this call")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
    args.out.mkdir(parents=True, exist_ok=True)
    schedule = Schedule(
        args.context_steps, args.align_steps, args.double_pseudo_steps, args.batch, args.missing_rate, args.seed
    )
    run = Run(CONFIGS[args.config], args.parts, schedule, TokenSet(args.tokens), args.out, device)
    if args.config == "base" and not args.transformer:
        parser.error("base needs --transformer: its frozen blocks are DINO's")
    if args.transformer:
        take_transformer(run.radar.fusion, args.transformer)
    if args.context_of:
        run.take_context(args.context_of)
    if args.resume:
        run.resume(args.out / "checkpoint.pt")
    run.train(args.every, args.stop_after)
    if distributed.is_initialized():
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
