"""The reader's training loop: practice first, labelled rows last, one schedule over both, resumable from its last checkpoint."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from training import artefact, checkpoints
from training.answerers.rows import Row, batches, use_bfloat16

SAVE_EVERY_S = 120.0
STEPS_PER_BUCKET = 40


@dataclass(frozen=True)
class Schedule:
    """``learning_rate`` rises over ``warmup`` steps and falls, as if to nothing at ``horizon``, until step ``practice``; the
    steps after that take it to nothing. ``batch_tokens`` bounds a padded step.
    """

    learning_rate: float = 1e-3
    warmup: int = 40
    practice: int = 288
    horizon: int = 505
    batch_tokens: int = 4096
    weight_decay: float = 0.01
    seed: int = 0


def plan(rows: Sequence[Row], order: Random, batch_tokens: int) -> list[list[Row]]:
    """One pass over ``rows``: batches of similar lengths, in random order."""
    shuffled = list(rows)
    order.shuffle(shuffled)
    stretch = max(1, batch_tokens * STEPS_PER_BUCKET // max(1, sum(row.tokens for row in rows) // len(rows)))
    steps: list[list[Row]] = []
    for first in range(0, len(shuffled), stretch):
        bucket = shuffled[first : first + stretch]
        steps += [[bucket[i] for i in batch] for batch in batches([row.tokens for row in bucket], batch_tokens)]
    order.shuffle(steps)
    return steps


def train(
    answerer: Any,
    model: Any,
    steps: Sequence[Sequence[Row]],
    schedule: Schedule,
    *,
    folder: Path,
    log: Callable[[str], None],
) -> None:
    """Train ``model`` (the answerer's, or a wrapper around it) in place on ``steps``; continues from ``folder`` if it can."""
    import torch

    trained = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True)
    fingerprint = _fingerprint(steps, schedule)
    first = _resume(model, optimiser, folder, fingerprint)
    model.train()
    began = saved = time.monotonic()
    running = 0.0
    for step in range(first, len(steps)):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * rate(step, len(steps), schedule)
        batch = answerer.collate(steps[step])
        with torch.autocast("cpu", torch.bfloat16, enabled=use_bfloat16(answerer.model)):
            loss = answerer.loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        running = float(loss.detach()) if step == first else 0.98 * running + 0.02 * float(loss.detach())
        if step % 10 == 0:
            log(f"step {step}/{len(steps)} loss {running:.3f} {time.monotonic() - began:.0f} s")
        if time.monotonic() - saved > SAVE_EVERY_S:
            _save(model, optimiser, folder, (fingerprint, step + 1))
            saved = time.monotonic()
    model.eval()


def rate(step: int, total: int, schedule: Schedule) -> float:
    """The share of the learning rate at ``step`` of ``total``."""
    practice = min(schedule.practice, total)
    reached = min(step, practice)
    falling = (schedule.horizon - reached) / (schedule.horizon - schedule.warmup)
    left = (total - step) / (total - practice) if step > practice else 1.0
    return min((step + 1) / schedule.warmup, falling) * left


def _fingerprint(steps: Sequence[Sequence[Row]], schedule: Schedule) -> str:
    digest = hashlib.sha256(repr(schedule).encode())
    for step in steps:
        for row in step:
            digest.update(repr((list(row.input_ids), list(row.labels))).encode())
    return digest.hexdigest()


def _save(model: Any, optimiser: Any, folder: Path, at: tuple[str, int]) -> None:
    import torch
    from safetensors.torch import save_file

    fingerprint, step = at
    about = {"fingerprint": fingerprint, "step": step}
    target = folder / f"checkpoint-{step}"
    with artefact.writing(target, kind=checkpoints.KIND, about=about) as temporary:
        checkpoints.save_weights(model, temporary / checkpoints.WEIGHTS)
        checkpoints.save_optimiser(optimiser, temporary)
        save_file({"cpu": torch.get_rng_state()}, temporary / checkpoints.RANDOM)
        (temporary / checkpoints.RUN).write_text(json.dumps({"best_step": None}), encoding="utf-8")
    checkpoints.tidy(folder, best_step=None)


def _resume(model: Any, optimiser: Any, folder: Path, fingerprint: str) -> int:
    checkpoint = checkpoints.newest(folder, fingerprint=fingerprint, tell=print)
    if checkpoint is None:
        return 0
    checkpoints.load_weights(model, checkpoint / checkpoints.WEIGHTS)
    checkpoints.load_optimiser(optimiser, checkpoint)
    checkpoints.load_random(checkpoint)
    return checkpoints.step_of(checkpoint)
