"""What an answerer keeps beside its weights: ``answerer.json``, so that a release predicts exactly as it was trained."""

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from training.answerability import Weights
from training.types import TrainingError

FILE = "answerer.json"


@dataclass(frozen=True)
class Settings:
    """``max_tokens`` bounds prompt and target together; ``max_new_tokens`` bounds an answer, in tokens of the model's own.

    ``answerable_threshold`` is compared with ``Reading.answerable_score``; ``stride`` is the overlap, in tokens, of the
    windows in which a span model reads a long passage. ``fixed_answers`` are the answers a generative model may give beside
    what stands in the passage; None lets it write freely. ``answerability`` says how the likeness of text and passage counts
    beside the reader's own odds; None: not at all.
    """

    task: str
    prompt_version: str
    architecture: str
    answerable_threshold: float = 0.5
    max_tokens: int = 512
    max_new_tokens: int = 32
    stride: int = 96
    fixed_answers: tuple[str, ...] | None = None
    answerability: Weights | None = None

    def with_threshold(self, threshold: float) -> "Settings":
        return replace(self, answerable_threshold=float(threshold))

    def alone(self) -> "Settings":
        """By the reader's own odds only."""
        if self.answerability is None:
            return self
        return replace(self, answerability=None, answerable_threshold=self.answerability.threshold_alone)


def load_settings(folder: Path, default: Settings) -> Settings:
    """The settings saved in ``folder``, or ``default``. Unknown keys are ignored so that older code reads newer folders."""
    path = folder / FILE
    if not path.exists():
        return default
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{path} is not JSON; restore the model folder or train again.") from error
    if not isinstance(saved, dict):
        raise TrainingError(f"{path} should hold one JSON object; restore the model folder or train again.")
    if saved.get("task", default.task) != default.task:
        raise TrainingError(
            f"The model in {folder.name} was made for the task {saved['task']!r}, not for {default.task!r}."
        )
    known: dict[str, Any] = {field.name: saved[field.name] for field in fields(Settings) if field.name in saved}
    if known.get("fixed_answers") is not None:
        known["fixed_answers"] = tuple(known["fixed_answers"])
    if known.get("answerability") is not None:
        known["answerability"] = _read_weights(known["answerability"], path)
    return replace(default, **{**known, "architecture": default.architecture})


def judges_by_likeness(folder: Path) -> bool:
    """Whether the model saved in ``folder`` wants to know how alike text and passage are. Never raises: loading it says what is wrong."""
    try:
        saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(saved, dict) and saved.get("answerability") is not None


def _read_weights(saved: Any, path: Path) -> Weights:
    names = {field.name for field in fields(Weights)}
    values = {name: saved[name] for name in names & saved.keys()} if isinstance(saved, dict) else {}
    numbers = [value for name, value in values.items() if name != "identity"]
    are_numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in numbers)
    if (
        not {*values} >= names - {"threshold_alone", "answer"}
        or not are_numbers
        or not isinstance(values["identity"], str)
    ):
        raise TrainingError(
            f"The answerability in {path} should hold {', '.join(sorted(names))}, numbers and the name of an embedder; restore the model "
            "folder or train again."
        )
    return Weights(**values)


def save_settings(settings: Settings, folder: Path) -> None:
    (folder / FILE).write_text(json.dumps(asdict(settings), indent=1, sort_keys=True), encoding="utf-8")
