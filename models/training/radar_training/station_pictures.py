"""Puts the pictures of a synthetic dataset (`radar-edge synth`) into the pool that distil.py learns from.

    python -m radar_training.station_pictures --dataset FOLDER --out POOL

Good and defective training parts alike: the student imitates the teacher on both, no label is used.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from .procedural import SIZE

#: Smaller than a procedural shard. Shards are drawn with equal chance, so each of these pictures is seen more often.
SHARD = 200


def write_shards(dataset: Path, out: Path) -> None:
    paths = sorted(dataset.glob("*/train/*/rgb/*.png"))
    order = np.random.default_rng(0).permutation(len(paths))
    for shard, picks in enumerate(np.array_split(order, max(1, len(paths) // SHARD))):
        pictures = [Image.open(paths[i]).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC) for i in picks]
        path = out / f"station-{dataset.name}-{shard:03d}.npy"
        with open(path.with_suffix(".part"), "wb") as handle:
            np.save(handle, np.stack([np.asarray(picture) for picture in pictures]))
        path.with_suffix(".part").replace(path)
        print(path.name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    write_shards(args.dataset, args.out)


if __name__ == "__main__":
    main()
