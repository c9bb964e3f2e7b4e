"""Training the starter from scratch in a few single-threaded processes that average their gradients after every step.

Two processes of one thread each suffer far less from a busy machine than two threads that wait for each other in every product.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from training.generator import names
from training.generator.open_families import open_domain
from training.generator.pages import choose_domain, write_contrast_page, write_page
from training.generator.rows import ask_page, to_examples
from training.recipes.packed import Packed, collate, everything, loss, pack

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Plan:
    """How the starter is made. ``minutes`` bounds the training alone; ``warm_up`` and ``until`` are shares of them.

    The model completes names it has just read until it does so with a loss below ``copied``. It learns short pages of at most
    ``levels[0]`` facts of each of two places, then ``levels[1]``, then full ones among which ``short`` of all pages are short:
    the next level comes at a loss below ``learned``, or after ``until``. Every token counts until ``warm_up``, the answers alone
    from then on.
    """

    minutes: float = 120.0
    words: int = 3072
    width: int = 256
    layers: int = 6
    heads: int = 8
    window: int = 512
    pages: int = 3  # a process and step
    questions: int = 12  # a page
    rows: int = 6  # of names to copy, a process and step
    learning_rate: float = 6e-4
    copied: float = 0.9
    learned: float = 0.25
    warm_up: float = 0.04
    levels: tuple[int, ...] = (1, 3)
    until: tuple[float, ...] = (0.25, 0.4)
    short: float = 0.5
    open: float = 0.4  # of all pages, with families that are never the same
    varied: float = 0.35  # of the questions, in wording, case or punctuation
    processes: int = 2
    seed: int = 7


def copy_row(tokenizer: Any, random: Random) -> Packed:
    """Made-up names, and the same names in another order: once a name has begun, the rest of it must be copied."""
    words = [names.coin(random, "train") for _ in range(random.randint(4, 10))]
    spelled = dict(zip(words, tokenizer(words)["input_ids"], strict=True))
    tokens = [token for word in words for token in spelled[word]]
    kept: list[int] = []
    for word in random.sample(words, len(words)):
        kept.extend(range(len(tokens), len(tokens) + len(spelled[word]) - 1))
        tokens.extend(spelled[word])
    wanted = [tokens[position + 1] for position in kept]
    return Packed(
        tokens, list(range(len(tokens))), [0] * len(tokens), kept, wanted, [1 / max(1, len(kept))] * len(kept)
    )


def question_page(answerer: Any, random: Random, plan: Plan, level: int) -> Packed:
    """A page of the level with its questions, encoded as the answerer encodes every training row."""
    while True:
        full = level >= len(plan.levels)
        domain = open_domain(choose_domain(random), random) if random.random() < plan.open else None
        if full and random.random() >= plan.short:
            page = write_page(random, "train", domain)
        else:
            page = write_contrast_page(random, "train", domain, most=plan.levels[-1 if full else level])
        asked = ask_page(page, random, count=plan.questions, split="train", varied=plan.varied if full else 0.1)
        rows = answerer.encode(to_examples(page, asked))
        if len(rows) > 1:
            return pack(rows)


def next_batch(answerer: Any, plan: Plan, random: Random, stage: "Stage") -> dict[str, "torch.Tensor"]:
    """The next rows or pages to learn from."""
    if not stage.copies:
        return collate([copy_row(answerer.tokenizer, random) for _ in range(plan.rows)], answerer.padding)
    pages = [question_page(answerer, random, plan, stage.level) for _ in range(plan.pages)]
    if stage.fraction < plan.warm_up:
        pages = [*map(everything, pages)]
    # A row of names beside the pages keeps copying exact.
    return collate([*pages, copy_row(answerer.tokenizer, random)], answerer.padding)


@dataclass
class Stage:
    """How far training has come: the fraction of the time, whether copying is learned, the level of the pages."""

    fraction: float = 0.0
    copies: bool = False
    level: int = 0
    losses: list[float] = field(default_factory=list)

    def advance(self, plan: Plan, mean: float) -> None:
        """Go on to the next kind of rows once this one is learned, or its time is over."""
        self.losses.append(mean)
        if len(self.losses) < 40:
            return
        recent = sum(self.losses[-40:]) / 40
        if not self.copies:
            learned = recent < plan.copied
            self.copies = learned
        else:
            late = self.level < len(plan.until) and self.fraction > plan.until[self.level]
            learned = (
                self.level < len(plan.levels) and (recent < plan.learned or late) and self.fraction >= plan.warm_up
            )
            self.level += learned
        if learned:
            self.losses.clear()


def rate(plan: Plan, step: int, fraction: float) -> float:
    """The learning rate: a linear rise over 50 steps, level for half of the time, then a straight line down to 2 %."""
    falling = min(1.0, max(0.0, (1 - fraction) / 0.5))
    return plan.learning_rate * min(1.0, (step + 1) / 50) * max(0.02, falling)


def _average(model: Any, figures: tuple[float, float], count: int) -> list[float]:
    """Average the gradients over all processes; returns their average of ``figures``, so that all agree what comes next."""
    import torch
    from torch import distributed

    if count == 1:
        return list(figures)
    gradients = [parameter.grad for parameter in model.parameters()]
    flat = torch.cat([gradient.flatten() for gradient in gradients] + [torch.tensor(figures)])
    distributed.all_reduce(flat)
    flat /= count
    offset = 0
    for gradient in gradients:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()
    averaged: list[float] = flat[-2:].tolist()
    return averaged


class Optimizer:
    """Muon (Jordan et al. 2024) for the matrices, AdamW for the rest; each process orthogonalises its share of the matrices."""

    def __init__(self, model: Any, plan: Plan, rank: int) -> None:
        import torch

        self.count = plan.processes
        self.matrices = [value for name, value in model.named_parameters() if value.ndim == 2 and ".h." in name]
        inner = {id(value) for value in self.matrices}
        others = [value for value in model.parameters() if id(value) not in inner]
        own = self.matrices[rank :: self.count]
        self.parts = [
            torch.optim.Muon(own, plan.learning_rate, weight_decay=0.05, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def step(self, learning_rate: float) -> None:
        """Update the weights in all processes alike."""
        from torch import distributed

        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()
        for number, matrix in enumerate(self.matrices if self.count > 1 else ()):
            distributed.broadcast(matrix.data, src=number % self.count)


def train(
    answerer: Any, plan: Plan, rank: int, *, checkpoint: Path, say: Callable[[str], None], stage: Stage | None = None
) -> None:
    """One process's share of the training, until the minutes are over; the first saves into ``checkpoint`` every two minutes.

    ``stage`` is where to begin: with copying, unless the answerer has learned before.
    """
    import torch

    model = answerer.model.train()
    optimizer = Optimizer(model, plan, rank)
    random, stage = Random(f"starter-{plan.seed}-{rank}"), stage or Stage()
    step, saved, began = 0, 0.0, time.monotonic()
    recent: deque[float] = deque(maxlen=25)
    while stage.fraction < 1:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(model, next_batch(answerer, plan, random, stage))
        value.backward()
        gone = time.monotonic() - began
        stage.fraction, mean = _average(model, (gone / (60 * plan.minutes), value.item()), plan.processes)
        if not math.isfinite(mean):
            raise FloatingPointError(f"The loss is {mean} at step {step}; start again with a smaller learning rate.")
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(rate(plan, step, stage.fraction))
        model.zero_grad(set_to_none=True)
        recent.append(mean)
        stage.advance(plan, mean)
        step += 1
        if rank == 0 and step % 25 == 0:
            kind = f"level {stage.level}" if stage.copies else "copying"
            say(f"{gone:6.0f} s  step {step}  {kind}  loss {sum(recent) / len(recent):.4f}")
        if rank == 0 and (gone - saved > 120 or stage.fraction >= 1):
            answerer.save(checkpoint)
            saved = gone
