"""The Hugging Face Trainer with our batches, our loss, and checkpoints that hold no pickle."""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training import artefact, checkpoints
from training.answerers.rows import Row, use_bfloat16
from training.averaging import BEGIN, Average
from training.judge import Judge
from training.types import FitConfig, Report, TrainingError

SAVING_SHARE = 20
"""Checkpoints of a large model are spaced so that writing them takes at most one part in this many of the time."""


@dataclass
class Progress:
    """What a run has found out so far; written into every checkpoint, beside the number of states in its average."""

    best_step: int | None = None
    best_selection: float = -1.0
    tokens: int = 0


@dataclass(frozen=True)
class Run:
    """All that one training run works with. ``steps`` are the row indices of every optimiser step."""

    answerer: Any
    rows: Sequence[Row]
    steps: Sequence[Sequence[int]]
    folder: Path
    config: FitConfig
    fingerprint: str
    judge: Judge | None
    report: Report
    log: Callable[[dict[str, float]], None]
    progress: Progress = field(default_factory=Progress)
    average: Average = field(default_factory=Average)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, step: int) -> dict[str, Any]:
        """The padded batch of one optimiser step: the run is its own data set."""
        batch: dict[str, Any] = self.answerer.collate([self.rows[i] for i in self.steps[step]])
        return batch


def build_trainer(model: Any, run: Run, *, learning_rate: float) -> Any:
    """A Trainer for ``run`` over ``model`` (the answerer's own, or a LoRA wrapper around it)."""
    import torch
    from transformers import PrinterCallback, Trainer

    class StepTrainer(Trainer):  # type: ignore[misc]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            del return_outputs, num_items_in_batch
            loss = run.answerer.loss(model, inputs)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"The training loss became infinite or not a number at step {self.state.global_step + 1} of {len(run)}; "
                    "use a lower learning rate, and look for rows of gibberish."
                )
            run.progress.tokens += inputs["input_ids"].numel()
            return loss

        def floating_point_ops(self, inputs: Any) -> int:
            del inputs
            return 0  # Nobody reads it, and counting parameters at every step costs time.

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            del model, trial
            save_checkpoint(self, run)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            checkpoints.load_weights(model or self.model, Path(resume_from_checkpoint) / checkpoints.WEIGHTS)

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
            if checkpoint is not None:
                checkpoints.load_optimiser(self.optimizer, Path(checkpoint))
                checkpoints.load_scheduler(self.lr_scheduler, Path(checkpoint))

        def _load_rng_state(self, checkpoint: str | None) -> None:
            if checkpoint is not None:
                checkpoints.load_random(Path(checkpoint))

    trainer = StepTrainer(model, _arguments(run, learning_rate), train_dataset=run, data_collator=_only)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_callback(trainer, run))
    return trainer


def _only(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return items[0]


def _arguments(run: Run, learning_rate: float) -> Any:
    import torch
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(run.folder),
        use_cpu=not torch.cuda.is_available(),
        bf16=use_bfloat16(run.answerer.model),
        seed=run.config.seed,
        per_device_train_batch_size=1,
        max_steps=len(run),
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        learning_rate=learning_rate,
        warmup_steps=math.ceil(run.config.warmup_fraction * len(run)),
        weight_decay=run.config.weight_decay,
        optim="adamw_torch_fused",
        logging_steps=max(1, len(run) // 100),
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def save_checkpoint(trainer: Any, run: Run) -> None:
    """One sealed folder with weights, optimiser, schedule, random state and progress; then older ones are removed."""
    step = trainer.state.global_step
    folder = run.folder / f"checkpoint-{step}"
    if folder.exists():
        shutil.rmtree(folder)
    about = {"fingerprint": run.fingerprint, "step": step}
    with artefact.writing(folder, kind=checkpoints.KIND, about=about) as temporary:
        checkpoints.save_weights(trainer.model, temporary / checkpoints.WEIGHTS)
        checkpoints.save_optimiser(trainer.optimizer, temporary)
        checkpoints.save_scheduler(trainer.lr_scheduler, temporary)
        checkpoints.save_random(temporary)
        if run.average.count:
            run.average.save(temporary / checkpoints.AVERAGE)
        facts = {**vars(run.progress), "averaged": run.average.count}
        (temporary / checkpoints.RUN).write_text(json.dumps(facts), encoding="utf-8")
        trainer.state.save_to_json(str(temporary / "trainer_state.json"))
    checkpoints.tidy(run.folder, best_step=run.progress.best_step)


def _callback(trainer: Any, run: Run) -> Any:
    from transformers import TrainerCallback

    total = len(run)
    points = {round(total * k / run.config.evaluations) for k in range(1, run.config.evaluations + 1)} - {0}
    clock = {"saved": time.monotonic(), "cost": 0.0}

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Reports, measures on validation and asks for checkpoints; ``report`` may raise to stop the run."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            del args
            step = state.global_step
            run.report(step / total, f"Step {step} of {total}")
            if run.judge is not None and step in points:
                _evaluate(trainer.model, run, step)
            every = run.config.save_every_s
            wait = max(every, SAVING_SHARE * clock["cost"]) if every else 0.0
            if step < total and time.monotonic() - clock["saved"] >= wait:
                control.should_save = True
                clock["asked"] = time.monotonic()
            return control

        def on_save(self, *_: Any, **__: Any) -> None:
            clock["saved"] = time.monotonic()
            clock["cost"] = clock["saved"] - clock["asked"]

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            del args, control
            if logs and "loss" in logs:
                loss = float(logs["loss"])
                row = {"step": state.global_step, "fraction": state.global_step / total, "loss": loss}
                run.log(
                    {**row, "perplexity": math.exp(min(max(loss, 0.0), 50.0)), "learning_rate": logs["learning_rate"]}
                )

    return Watch()


def _evaluate(model: Any, run: Run, step: int) -> None:
    if run.judge is None:
        return
    run.report(step / len(run), f"Measuring on the validation questions after step {step} of {len(run)}")
    scores = dict(run.judge.measure())
    selection = scores.pop("selection")
    run.log({"step": step, "fraction": step / len(run), **scores})
    if step > round(BEGIN * len(run)):
        run.average.add(model)
    # Of two equals the later has seen more.
    if selection >= run.progress.best_selection:
        run.progress.best_step, run.progress.best_selection = step, selection
        folder = run.folder / f"best-{step}"
        shutil.rmtree(folder, ignore_errors=True)
        with artefact.writing(folder, kind=checkpoints.BEST_KIND) as temporary:
            checkpoints.save_weights(model, temporary / checkpoints.WEIGHTS)
        checkpoints.tidy(run.folder, best_step=step)
