"""Which rows make up each optimiser step of a run: all of it is decided beforehand, so that a resumed run is the same run."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict

from training.answerers.rows import Row, batches
from training.types import FitConfig

LEAST_STEPS_PER_EPOCH = 12
"""Few labels still need many small steps to be learned: batches shrink below ``batch_tokens`` to give this many."""

STEPS_PER_BUCKET = 48
"""Rows are sorted by length within stretches of this many steps: little padding, and the order stays random."""


def plan_steps(lengths: Sequence[int], config: FitConfig) -> list[list[int]]:
    """Row indices of every optimiser step, padded size at most ``config.batch_tokens``, in the order of training."""
    shuffler = random.Random(config.seed)
    budget = _budget(lengths, config)
    remaining = max(1, round(len(lengths) * config.epochs))
    steps: list[list[int]] = []
    while remaining > 0:
        order = list(range(len(lengths)))
        shuffler.shuffle(order)
        order = order[:remaining]
        remaining -= len(order)
        steps.extend(_epoch(order, lengths, budget, shuffler))
    return steps


def _budget(lengths: Sequence[int], config: FitConfig) -> int:
    return max(max(lengths), min(config.batch_tokens, sum(lengths) // LEAST_STEPS_PER_EPOCH))


def _epoch(order: list[int], lengths: Sequence[int], budget: int, shuffler: random.Random) -> list[list[int]]:
    average = sum(lengths[i] for i in order) / len(order)
    stretch = max(1, int(budget * STEPS_PER_BUCKET / average))
    steps: list[list[int]] = []
    for begin in range(0, len(order), stretch):
        bucket = sorted(order[begin : begin + stretch], key=lambda i: lengths[i])
        steps.extend(batches(lengths, budget, order=bucket))
    shuffler.shuffle(steps)
    return steps


def fingerprint(rows: Sequence[Row], config: FitConfig) -> str:
    """What a checkpoint must have in common with a run to continue it: the same rows and the same configuration."""
    digest = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode())
    for row in rows:
        digest.update(repr((list(row.input_ids), list(row.labels), row.weight)).encode())
    return digest.hexdigest()
