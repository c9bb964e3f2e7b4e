"""Tasks by name. One file per task, each with the names of :class:`Task`; nothing outside that file knows which task runs."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from training.lessons import Lessons, Material
from training.types import Example, FitConfig, Gold, Input, Prediction, Report, Target

TASKS = {"qa": "training.tasks.qa"}
DEFAULT_TASK = next(iter(TASKS))


class Task(Protocol):
    """What a task's module offers. ``format``/``format_target``/``parse`` are pure; ``parse(format_target(y)) == y``."""

    NAME: str
    TITLE: str
    PROMPT_VERSION: str
    USES_PASSAGES: bool
    PRIMARY_METRIC: str
    METRICS: dict[str, str]  # key -> name a person reads, in the order to show them; the task's own only
    MEANINGS: dict[str, str]  # key of each metric -> what it tells, for somebody who has never heard of it
    GUARDS: dict[str, float]  # metric -> how far it may fall before the gate holds a candidate, whatever else it gains
    # Format name -> its title, and the "module:function" that streams label rows in that format.
    EXPORTS: dict[str, tuple[str, str]]
    READERS: dict[str, str]  # "gold" -> "module:function" that reads a file of gold rows: ``(path, *, drop)``

    def format(self, text: str, passage: str) -> str: ...
    def format_target(self, target: Target) -> str: ...
    def parse(self, output: str) -> Target: ...
    def predict(self, answerer: Any, inputs: Sequence[Input]) -> list[Prediction]: ...
    def fit(
        self,
        answerer: Any,
        train: Sequence[Example],
        validation: Sequence[Gold],
        *,
        folder: Path,
        config: FitConfig,
        report: Report,
        log: Callable[[dict[str, float]], None],
        lessons: Lessons = ...,
        material: Material = ...,
    ) -> Any: ...
    def score(self, predictions: Sequence[Prediction], golds: Sequence[Gold]) -> dict[str, float]: ...
    def score_each(self, predictions: Sequence[Prediction], golds: Sequence[Gold]) -> list[dict[str, float]]: ...
    def count_guarded(
        self, golds: Sequence[Gold]
    ) -> dict[str, int]: ...  # how many questions each guarded metric is made of
    def calibrate(self, answerer: Any, golds: Sequence[Gold]) -> float: ...


def get_task(name: str) -> Task:
    """The task's module. Raises ``KeyError`` with the known names."""
    if name not in TASKS:
        raise KeyError(f"Unknown task {name!r}; expected one of {', '.join(sorted(TASKS))}.")
    return cast(Task, importlib.import_module(TASKS[name]))


def task_titles() -> dict[str, str]:
    """Each task's name and how people call it."""
    return {name: get_task(name).TITLE for name in TASKS}


def load_function(path: str) -> Callable[..., Any]:
    """The function a task names as ``module:function``; imported when it is needed."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
