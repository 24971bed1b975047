"""A tiny PatchCore for choosing between encoders: nearest distance to a bank of good patches, maximum per part."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Tokens = NDArray[np.float32]
"""One part's patches, [784,D]."""


def score(bank: torch.Tensor, tokens: Tokens) -> NDArray[np.float32]:
    """Distance of every patch to its nearest bank row."""
    distances: NDArray[np.float32] = torch.cdist(torch.from_numpy(tokens), bank).amin(1).numpy()
    return distances


def part_scores(
    train: list[Tokens], test: list[Tokens], voters: list[NDArray[np.bool_]], *, rows: int = 8000, seed: int = 0
) -> NDArray[np.float64]:
    """Maximum patch distance of each test part over the patches that may vote, against a random subset of the bank."""
    every = np.concatenate(train)
    every = every[np.random.default_rng(seed).permutation(len(every))[:rows]]
    # Uncovered patches are exactly zero; they are no part of the product.
    bank = torch.from_numpy(np.ascontiguousarray(every[np.any(every != 0, axis=1)]))
    return np.array([score(bank, tokens)[votes].max(initial=0) for tokens, votes in zip(test, voters, strict=True)])


def auroc(scores: NDArray[np.float64], labels: list[str], kinds: set[str] | None = None) -> float:
    """Image AUROC of good against defective parts, of all kinds or of some."""
    kept = [i for i, label in enumerate(labels) if label == "good" or kinds is None or label in kinds]
    return float(roc_auc_score([labels[i] != "good" for i in kept], scores[kept]))
