"""A pass over corrections beside what they replaced, after the supervised one, with TRL's trainer for direct preferences.

Rafailov et al. 2023, "Direct Preference Optimization"; the likelihood of the preferred answer is kept from falling by learning it
at the same time (Pang et al. 2024, "Iterative Reasoning Preference Optimization"). For models that write: a span model has no text
to prefer.
"""

import copy
import tempfile
from collections.abc import Sequence
from typing import Any

from training.answerers.prompts import passage_with_answer
from training.types import Example, FitConfig, Preference, Report, TrainingError

LEAST_PAIRS = 8
BETA = 0.1
EPOCHS = 2
BATCH = 8
RATE_SHARE = 0.2
"""Of the supervised pass's learning rate: this pass only bends what that one learned."""


def usable_pairs(answerer: Any, preferences: Sequence[Preference]) -> list[dict[str, str]]:
    """Prompt, preferred and rejected continuation, in the task's own text; pairs that overflow the model's window are left out."""
    pairs = []
    for preference in preferences:
        example = Example(preference.text, preference.passage, preference.chosen)
        passage = passage_with_answer(example, room_characters=2 * answerer.prompt_limit)
        pair = {
            "prompt": answerer.task.format(preference.text, passage),
            "chosen": answerer.task.format_target(preference.chosen),
            "rejected": answerer.task.format_target(preference.rejected),
        }
        longest = max((pair["prompt"] + pair[side] for side in ("chosen", "rejected")), key=len)
        if preference.weight > 0 and len(answerer.tokenizer(longest)["input_ids"]) < answerer.window:
            pairs.append(pair)
    return pairs


def can_prefer(answerer: Any) -> bool:
    """Whether this kind of model can learn from preferences."""
    return bool(answerer.settings.architecture == "causal")


def prefer(
    answerer: Any, pairs: Sequence[dict[str, str]], *, rate: float, config: FitConfig, report: Report
) -> dict[str, float]:
    """Train a copy of the answerer's model on ``pairs`` and put it in the model's place; the model before is untouched.

    ``pairs`` are those of :func:`usable_pairs`, ``rate`` is the supervised pass's learning rate. Returns ``steps`` and ``loss``.
    Raises :class:`TrainingError` for fewer than :data:`LEAST_PAIRS` pairs or a model that cannot learn so.
    """
    if not can_prefer(answerer):
        raise TrainingError(
            f"A {answerer.settings.architecture} model cannot learn from preferences; only causal ones can."
        )
    if len(pairs) < LEAST_PAIRS:
        raise TrainingError(
            f"{len(pairs)} corrections are too few for a preference pass; it takes at least {LEAST_PAIRS}."
        )
    report(0.0, "Preparing the preferences")
    policy, reference = copy.deepcopy(answerer.model), copy.deepcopy(answerer.model)
    with tempfile.TemporaryDirectory() as folder:
        trainer = _build(answerer, (policy, reference), pairs, _arguments(folder, rate, config), report=report)
        outcome = trainer.train()
        steps = trainer.state.global_step
    # The trainer leaves its own patches on the model it trained: only its weights are taken.
    learned = copy.deepcopy(answerer.model)
    learned.load_state_dict(policy.state_dict())
    answerer.model = learned.eval()
    return {"steps": float(steps), "loss": float(outcome.training_loss)}


def _build(
    answerer: Any, models: tuple[Any, Any], pairs: Sequence[dict[str, str]], arguments: Any, *, report: Report
) -> Any:
    import datasets
    from huggingface_hub import constants
    from transformers import PrinterCallback, TrainerCallback
    from trl.trainer.dpo_trainer import DPOTrainer

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Reports each step; ``report`` may raise to stop the run."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args, control
            report(
                state.global_step / max(state.max_steps, 1),
                f"Preferences: step {state.global_step} of {state.max_steps}",
            )

    # TRL's trainers tell the hub that they were used; nothing of ours leaves the machine.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    datasets.disable_progress_bars()
    trainer = DPOTrainer(
        model=models[0], ref_model=models[1], args=arguments, train_dataset=datasets.Dataset.from_list(list(pairs)),
        processing_class=copy.deepcopy(answerer.tokenizer), callbacks=[Watch()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(folder: str, rate: float, config: FitConfig) -> Any:
    import torch
    from trl.trainer.dpo_config import DPOConfig

    return DPOConfig(
        output_dir=folder,
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        seed=config.seed,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=rate * RATE_SHARE,
        warmup_steps=1,
        beta=BETA,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, 1.0],
        max_length=None,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
        logging_steps=1_000_000,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
