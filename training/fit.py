"""Fine-tuning any answerer on examples: from the model as it is, resumable at any moment, the best validation state kept."""

import contextlib
import errno
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training import artefact, averaging, checkpoints
from training.answerers.adapter import add_lora
from training.answerers.rows import Row
from training.answerers.spans import fixed_answers
from training.judge import Judge
from training.plan import fingerprint, plan_steps
from training.trainer import Progress, Run, build_trainer
from training.types import Example, FitConfig, Report, TrainingError

PLAIN_ATTENTION_TOKENS = 320
LEAST_LABELS = 4
"""Below this, a run learns nothing that its validation could show."""


@dataclass(frozen=True)
class Fitted:
    """What a run did. ``dropped`` examples did not fit the model's window, or their answer was not in their passage.

    ``best_step`` is the best single state; ``chosen`` says whether it or an average of states was kept (None without validation)."""

    steps: int
    best_step: int | None
    chosen: averaging.Chosen | None
    tokens: int
    seconds: float
    rows: int
    dropped: int


def fit(
    answerer: Any,
    train: Sequence[Example],
    *,
    judge: Judge | None,
    folder: Path,
    config: FitConfig,
    report: Report,
    log: Callable[[dict[str, float]], None],
) -> Fitted:
    """Train ``answerer`` in place on ``train``, resuming from ``folder`` if an earlier run with the same rows stopped there.

    ``judge`` decides which weights are kept (without one the last), see :mod:`training.averaging`.
    ``log`` gets curve points: ``{step, fraction, loss, perplexity, learning_rate}`` and ``{step, fraction, validation_...}``;
    after a resume the points since the checkpoint come again. ``report`` may raise ``Cancelled``.

    Raises :class:`TrainingError` for data that cannot teach anything, a diverging loss, or a full disk.
    """
    began = time.monotonic()
    check_examples(train)
    report(0.0, "Preparing the rows")
    rows = _encode(answerer, train)
    folder.mkdir(parents=True, exist_ok=True)
    steps = plan_steps([row.tokens for row in rows], config)
    run = Run(answerer, rows, steps, folder, config, fingerprint(rows, config), judge, report, log)
    with _full_disk_in_words():
        chosen = _train(run)
    return Fitted(
        steps=len(run),
        best_step=run.progress.best_step,
        chosen=chosen,
        tokens=run.progress.tokens,
        seconds=time.monotonic() - began,
        rows=len(rows),
        dropped=max(0, len(train) - len(rows)),
    )


def check_examples(train: Sequence[Example]) -> None:
    """Refuse, in one sentence, sets from which nothing useful can be learned."""
    if not train:
        raise TrainingError("There are no examples to train on; accept, correct or reject some answers first.")
    labels = sum(example.kind != "rehearsal" for example in train)
    if labels < LEAST_LABELS:
        raise TrainingError(
            f"There are only {labels} labelled examples to train on; label at least {LEAST_LABELS} first."
        )
    if not any(example.target.answerable and example.weight > 0 for example in train):
        raise TrainingError(
            'Every example says "not answerable": a model trained on them would refuse every question; accept or correct '
            "some answers first."
        )


def _encode(answerer: Any, train: Sequence[Example]) -> Sequence[Row]:
    """The rows that can be learned; what the examples have in common goes into the answerer's settings first."""
    answerer.settings = replace(answerer.settings, fixed_answers=fixed_answers(train))
    rows: Sequence[Row] = answerer.encode(train)
    if not rows:
        raise TrainingError(
            f"None of the {len(train)} examples can be learned: their answers are not in their passages, or their questions "
            "fill the model's whole window."
        )
    return rows


@contextlib.contextmanager
def _full_disk_in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise TrainingError("The disk is full; free some space and start the iteration again: it resumes.") from error


def learning_rate(answerer: Any, config: FitConfig) -> float:
    """The configured rate, or one that falls with the model's size from 5e-5 at 110 million parameters.

    In full training it falls with the size itself, to be kept in bounds for tiny models: once the states of a run were averaged, the
    reader learned more from 128 labels at 2.5e-4 than at 1.1e-4, and the starter as much in six epochs at 1e-3 as in ten at 2e-4
    (``docs/measurements.md``). Low-rank matrices change with its square root.
    """
    if config.learning_rate is not None:
        return config.learning_rate
    parameters = sum(value.numel() for value in answerer.model.parameters())
    exponent, most = (1.0, 1e-3) if config.method == "full" else (0.5, 5e-4)
    rate = min(5e-5 * (110e6 / max(parameters, 1)) ** exponent, most)
    # T5 was trained without the usual scaling of its logits and wants larger steps, as low-rank matrices do.
    if answerer.model.config.model_type in {"t5", "mt5", "umt5"} or config.method == "lora":
        rate *= 5
    return min(rate, 2e-3)


def _train(run: Run) -> averaging.Chosen | None:
    import torch

    rate = learning_rate(run.answerer, run.config)
    torch.manual_seed(run.config.seed)
    model = _trainable(run)
    start = averaging.copy_of(model) if run.judge else {}
    trainer = build_trainer(model, run, learning_rate=rate)
    checkpoint = checkpoints.newest(run.folder, fingerprint=run.fingerprint, tell=lambda text: run.report(0.0, text))
    if checkpoint is None:
        for stale in run.folder.glob("best-*"):
            shutil.rmtree(stale)
    else:
        _restore_progress(run, checkpoint)
        run.report(checkpoints.step_of(checkpoint) / len(run), f"Resuming from {checkpoint.name}")
    with quick_attention(run.answerer.model, longest=max(row.tokens for row in run.rows)):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    chosen = _keep_best(model, run, start)
    if run.config.method == "lora":
        model.save_pretrained(str(run.folder / "adapter"), safe_serialization=True, save_embedding_layers=False)
        run.answerer.model = model.merge_and_unload().requires_grad_(True)
    run.answerer.model.eval()
    return chosen


@contextlib.contextmanager
def quick_attention(model: Any, *, longest: int) -> Iterator[None]:
    """Plain attention products while training short rows on a processor.

    There they are faster than the fused kernel, whose backward pass works in 32 bits; on long rows they take too much memory.
    """
    usual = model.config._attn_implementation
    if model.device.type != "cpu" or longest > PLAIN_ATTENTION_TOKENS:
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def _trainable(run: Run) -> Any:
    if run.config.method == "full":
        return run.answerer.model
    if run.config.method != "lora":
        raise TrainingError(f"Unknown training method {run.config.method!r}; expected full or lora.")
    rank = int(run.config.extra.get("lora_rank", 16))
    head = ["qa_outputs"] if run.answerer.settings.architecture == "span" else []
    return add_lora(run.answerer.model, rank=rank, alpha=run.config.extra.get("lora_alpha", 2.0 * rank), head=head)


def _restore_progress(run: Run, checkpoint: Path) -> None:
    facts = json.loads((checkpoint / checkpoints.RUN).read_text(encoding="utf-8"))
    averaged = facts.pop("averaged", 0)
    saved = Progress(**facts)
    run.progress.tokens = saved.tokens
    if averaged:
        run.average.resume(checkpoint / checkpoints.AVERAGE, count=averaged)
    if saved.best_step is None:
        return
    try:
        artefact.verify(run.folder / f"best-{saved.best_step}", kind=checkpoints.BEST_KIND)
    except artefact.DamagedArtefact as error:
        run.report(0.0, f"The best weights so far cannot be used and will be found again: {error}")
    else:
        run.progress.best_step, run.progress.best_selection = saved.best_step, saved.best_selection


def _keep_best(model: Any, run: Run, start: averaging.Weights) -> averaging.Chosen | None:
    """Leave the chosen state in ``model`` (:func:`training.averaging.choose`); without validation the last one stays."""
    best = run.progress.best_step
    if best is None or run.judge is None:
        return None
    if best != len(run):
        artefact.verify(run.folder / f"best-{best}", kind=checkpoints.BEST_KIND)
        checkpoints.load_weights(model, run.folder / f"best-{best}" / checkpoints.WEIGHTS)
    run.report(1.0, "Comparing averages of the weights")
    chosen = averaging.choose(model, start, run.average, run.judge)
    run.log({"step": len(run), "fraction": 1.0, "averaged": chosen.averaged, "base_share": chosen.base_share})
    return chosen
