"""A run can be stopped anywhere and ends as if it had not been; bad data gets one sentence."""

import dataclasses
import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import toys

from training.answerers import load_answerer
from training.bootstrap import Interval
from training.fit import Fitted, fit, learning_rate
from training.judge import Judge
from training.tasks import get_task
from training.types import Cancelled, Example, FitConfig, Target, TrainingError

QA = get_task("qa")
CONFIG = FitConfig(epochs=1, learning_rate=1e-3, batch_tokens=512, evaluations=4, save_every_s=0.0)


def run(
    base: Path, folder: Path, *, config: FitConfig = CONFIG, stop_at: float = 2.0
) -> tuple[Any, Fitted | None, list[str]]:
    """Train a fresh model in ``folder``; ``report`` raises at the fraction ``stop_at``."""
    answerer = load_answerer(base, QA)
    # Dropout makes the random state matter: without it a resume that forgets the state would pass unseen.
    for module in answerer.model.modules():
        if type(module).__name__ == "Dropout":
            module.p = 0.1
    messages: list[str] = []
    selections = iter([0.1, 0.9, 0.3, 0.2, *[0.0] * 20])
    asked = count()

    def gain(_usual: int, rival: int) -> Interval:
        return Interval(0.1, 0.05 if rival == 1 else -0.05, 0.15, 30)  # the single state, asked first, is surely better

    def report(fraction: float, message: str) -> None:
        messages.append(message)
        if fraction >= stop_at:
            raise Cancelled

    try:
        done = fit(
            answerer,
            toys.toy_examples(40),
            judge=Judge(lambda: {"validation_f1": 0.0, "selection": next(selections)}, lambda: next(asked), gain),
            folder=folder,
            config=config,
            report=report,
            log=lambda _: None,
        )
    except Cancelled:
        return answerer, None, messages
    return answerer, done, messages


def largest_difference(first: Any, second: Any) -> float:
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_resumed_run_ends_with_the_same_weights(method: str, tiny_span: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, method=method, evaluations=0)
    whole, done, _ = run(tiny_span, tmp_path / "whole", config=config)
    run(tiny_span, tmp_path / "stopped", config=config, stop_at=0.6)
    resumed, _, messages = run(tiny_span, tmp_path / "stopped", config=config)
    assert done is not None
    assert done.steps > 10
    assert any(message.startswith("Resuming from checkpoint-") for message in messages)
    assert largest_difference(whole, resumed) < 1e-6
    assert largest_difference(whole, load_answerer(tiny_span, QA)) > 1e-3


def test_a_damaged_checkpoint_is_set_aside_with_the_reason(tiny_span: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, evaluations=0)
    whole, _, _ = run(tiny_span, tmp_path / "whole", config=config)
    run(tiny_span, tmp_path / "stopped", config=config, stop_at=0.6)
    newest = max((tmp_path / "stopped").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    weights = newest / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    resumed, _, messages = run(tiny_span, tmp_path / "stopped", config=config)
    assert any("set aside" in message and "weights.safetensors is damaged" in message for message in messages)
    assert (tmp_path / "stopped" / f"damaged-{newest.name}").is_dir()
    assert largest_difference(whole, resumed) < 1e-6


def test_checkpoints_of_other_settings_are_not_continued(tiny_span: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, evaluations=0)
    run(tiny_span, tmp_path / "run", config=config, stop_at=0.6)
    other = dataclasses.replace(config, learning_rate=2e-3)
    _, _, messages = run(tiny_span, tmp_path / "run", config=other)
    assert any("starts afresh" in message for message in messages)


def test_checkpoints_hold_only_safetensors_and_json(tiny_span: Path, tmp_path: Path) -> None:
    run(tiny_span, tmp_path, stop_at=0.6)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2


def test_the_best_validation_weights_are_kept(tiny_span: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    answerer, done, messages = run(tiny_span, tmp_path)
    assert sum(message.startswith("Measuring on the validation questions") for message in messages) == 4
    assert done is not None
    assert done.best_step == round(done.steps * 2 / 4)  # the second of the four measurements is the highest
    kept = load_file(tmp_path / f"best-{done.best_step}/weights.safetensors")
    assert all(bool((value == kept[name]).all()) for name, value in answerer.model.named_parameters())


def test_a_resumed_run_remembers_its_best(tiny_span: Path, tmp_path: Path) -> None:
    _, whole, _ = run(tiny_span, tmp_path / "whole")
    run(tiny_span, tmp_path / "stopped", stop_at=0.7)
    record = max(
        (tmp_path / "stopped").glob("checkpoint-*/run.json"), key=lambda path: int(path.parent.name.split("-")[1])
    )
    assert whole is not None
    assert json.loads(record.read_text())["best_step"] == whole.best_step


def test_nothing_to_learn_from_is_a_sentence(tiny_span: Path, tmp_path: Path) -> None:
    answerer = load_answerer(tiny_span, QA)

    def attempt(examples: list[Example]) -> None:
        QA.fit(answerer, examples, (), folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None)

    right = Example("Where does Anna live ?", "Anna lives in Rome .", Target("Rome"))
    refusal = dataclasses.replace(right, target=Target("", answerable=False))
    with pytest.raises(TrainingError, match="no examples to train on"):
        attempt([])
    with pytest.raises(TrainingError, match="only 2 labelled examples"):
        attempt([right, right, *[dataclasses.replace(right, kind="rehearsal")] * 50])
    with pytest.raises(TrainingError, match="Every example says"):
        attempt([refusal] * 20)
    with pytest.raises(TrainingError, match="None of the 20 examples can be learned"):
        attempt([dataclasses.replace(right, target=Target("Atlantis"))] * 20)


def test_a_diverging_loss_is_a_sentence(tiny_span: Path, tmp_path: Path) -> None:
    import torch

    answerer = load_answerer(tiny_span, QA)
    with torch.no_grad():
        answerer.model.qa_outputs.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="infinite or not a number at step 1 "):
        fit(
            answerer,
            toys.toy_examples(20),
            judge=None,
            folder=tmp_path,
            config=CONFIG,
            report=lambda *_: None,
            log=lambda _: None,
        )


def test_a_full_disk_is_a_sentence_and_leaves_no_half_checkpoint(
    tiny_span: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from training import checkpoints

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_optimiser", full)
    with pytest.raises(TrainingError, match="disk is full"):
        run(tiny_span, tmp_path)
    assert not list(tmp_path.glob("checkpoint-*"))
    assert not list(tmp_path.glob("tmp-*"))


def test_a_weightless_row_teaches_nothing(tiny_span: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    right = Example("Where does Anna live ?", "Anna lives in Rome .", Target("Rome"))
    wrong = dataclasses.replace(right, target=Target("Anna"), weight=0.0)
    alone = answerer.loss(answerer.model, answerer.collate(answerer.encode([right])))
    both = answerer.loss(answerer.model, answerer.collate(answerer.encode([right, wrong])))
    assert both.item() == pytest.approx(alone.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("parameters", "architecture", "method", "rate"),
    [
        (110_000_000, "bert", "full", 5e-5), (22_000_000, "bert", "full", 2.5e-4), (2_000_000, "gpt2", "full", 1e-3),
        (440_000_000, "gpt2", "full", 1.25e-5), (440_000_000, "gpt2", "lora", 1.25e-4), (110_000_000, "t5", "full", 2.5e-4),
    ],
)  # fmt: skip
def test_the_larger_a_model_the_smaller_its_steps(parameters: int, architecture: str, method: str, rate: float) -> None:
    weights = SimpleNamespace(numel=lambda: parameters)
    model = SimpleNamespace(parameters=lambda: [weights], config=SimpleNamespace(model_type=architecture))
    answerer = SimpleNamespace(model=model)
    assert learning_rate(answerer, FitConfig(method=method)) == pytest.approx(rate)
    assert learning_rate(answerer, FitConfig(method=method, learning_rate=3e-4)) == 3e-4
