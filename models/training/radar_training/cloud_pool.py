"""Groups clouds once and describes their surface, because both cost more than a training step.

    python -m radar_training.cloud_pool --out FOLDER --count 2000 --seed 1
    python -m radar_training.cloud_pool --out FOLDER --station SYNTHETIC_DATASET

writes shards `clouds-*.npz` of 100 clouds: `groups` float16 [100,G,K,3] in millimetres, `centres` float32 [100,G,3] in
metres, `targets` float16 [100,G,WIDTH].
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from .clouds import draw_cloud
from .geometry import describe
from .parts import read_parts
from .point_groups import Points, group_points

SHARD = 100
FEWEST_POINTS = 1000


def procedural_clouds(count: int, seed: int) -> Iterator[Points]:
    for index in range(count):
        yield draw_cloud(np.random.default_rng([seed, index]))


def station_clouds(root: Path) -> Iterator[Points]:
    """The 3D side of every training part of a synthetic dataset, in a shuffled order."""
    folders = sorted(path.parent.parent for path in root.glob("*/train/*/rgb"))
    parts = [part.points for folder in sorted(set(folders)) for part in read_parts(folder)]
    for index in np.random.default_rng(0).permutation(len(parts)):
        if len(parts[index]) >= FEWEST_POINTS:
            yield parts[index]


def write_shards(out: Path, name: str, clouds: Iterator[Points]) -> None:
    for shard, some in enumerate(iter(lambda: list(islice(clouds, SHARD)), [])):
        grouped = [group_points(points) for points in some]
        targets = [describe(points, g.centres) for points, g in zip(some, grouped, strict=True)]
        path = out / f"clouds-{name}-{shard:03d}.npz"
        with open(path.with_suffix(".part"), "wb") as handle:
            np.savez(
                handle,
                groups=np.stack([g.groups * 1000 for g in grouped]).astype(np.float16),
                centres=np.stack([g.centres for g in grouped]),
                targets=np.stack(targets).astype(np.float16),
            )
        path.with_suffix(".part").replace(path)
        print(path.name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--station", type=Path, help="a dataset of `radar-edge synth` instead of own solids")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.station is None:
        write_shards(args.out, f"p{args.seed}", procedural_clouds(args.count, args.seed))
    else:
        write_shards(args.out, f"s-{args.station.name}", station_clouds(args.station))


if __name__ == "__main__":
    main()
