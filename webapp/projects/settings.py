"""What a project's people can change: one frozen dataclass read from ``project.settings``."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import sqlalchemy
from sqlalchemy.orm import Session

from training.lessons import PREFERENCES
from webapp.errors import Invalid
from webapp.models import Project, Question
from webapp.reordering import request_order

METHODS = ("full", "lora")
STRATEGIES = ("random", "uncertain", "diverse", "uncertain_diverse", "worst_slice", "newest")
LESSON_CHOICES = {
    "rehearsal": ("on", "off"),
    "rejects": ("off", "on"),
    "preferences": PREFERENCES,
    "warm_up": ("off", "on"),
    "similarity": ("on", "off"),
}
CHOICES = {"method": METHODS, "strategy": STRATEGIES, "learn_retriever": ("off", "on", "encoder"), **LESSON_CHOICES}


def setting(default: Any, low: float, high: float, help: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help})


@dataclass(frozen=True)
class ProjectSettings:
    train_after: int = setting(
        50, 0, 100_000, "Start an iteration after this many new or changed labels; 0 never does."
    )
    overlap: int = setting(1, 1, 50, "How many people label each question.")
    passages_shown: int = setting(5, 1, 20, "How many passages are retrieved and shown.")
    lease_s: int = setting(900, 30, 86_400, "For how many seconds a question stays with the person who took it.")
    seed: int = setting(0, 0, 2**31 - 1, "Seed of training, of the random order, and of who gets which question blind.")
    epochs: float = setting(4.0, 0.01, 1000.0, "How often training goes through all examples.")
    method: str = setting("full", 0, 0, "full changes all weights, lora a small addition to them.")
    strategy: str = setting("random", 0, 0, "In which order the queue is served: " + ", ".join(STRATEGIES) + ".")
    learn_retriever: str = setting(
        "off",
        0,
        0,
        "on: iterations train the retriever too, and keep what helps on labelled questions held out; encoder: they also try to "
        "fine-tune its sentence encoder, which takes minutes and, when it helps, embeds every passage again.",
    )
    rehearsal: str = setting("on", 0, 0, "on mixes starting data of the base model in, so that it does not forget.")
    variations: int = setting(0, 0, 8, "Other ways to ask each labelled question that are learned too; 0 adds none.")
    rejects: str = setting(
        "off", 0, 0, "on pushes the model gently away from answers called wrong without a correction."
    )
    preferences: str = setting(
        "off",
        0,
        0,
        "dpo: models that write learn corrections over what they replaced, if validation says that it helps.",
    )
    warm_up: str = setting("off", 0, 0, "on practises on the corpus itself, with phrases hidden, before the labels.")
    similarity: str = setting(
        "on",
        0,
        0,
        "on lets the likeness of a question and its passage count when the model judges whether there is an answer, if the labels "
        "show that it should.",
    )
    blind: float = setting(0.1, 0.0, 1.0, "Share of questions served without the model's answer; 0 serves none so.")
    effects: int = setting(
        100, 0, 2000, "How many labels, the newest, an iteration asks again to show what they changed."
    )
    slice_noise: float = setting(
        2.0,
        0.0,
        5.0,
        "How many standard errors a slice of the test questions may fall beyond one point; 0 forgives no chance.",
    )
    slower_at_most: float = setting(1.5, 1.0, 100.0, "How many times as long as before an answer may take.")


def read(project: Project) -> ProjectSettings:
    known = {item.name for item in fields(ProjectSettings)}
    return ProjectSettings(**{name: value for name, value in (project.settings or {}).items() if name in known})


def documented(project: Project) -> list[dict[str, Any]]:
    """Name, value, bounds, choices and help of every setting, for the page and the command line."""
    values = asdict(read(project))
    return [
        {"name": item.name, "value": values[item.name], "choices": CHOICES.get(item.name, ()), **item.metadata}
        for item in fields(ProjectSettings)
    ]


def _clean(name: str, value: Any) -> Any:
    item = next((item for item in fields(ProjectSettings) if item.name == name), None)
    if item is None:
        raise Invalid(
            f"{name} is not a project setting; known are {', '.join(one.name for one in fields(ProjectSettings))}."
        )
    if name in CHOICES:
        if value not in CHOICES[name]:
            known = f"{', '.join(CHOICES[name][:-1])} or {CHOICES[name][-1]}"
            raise Invalid(f"{name} must be {known}, not {value!r}.", {name: f"Choose {known}."})
        return value
    low, high = item.metadata["low"], item.metadata["high"]
    kind = "whole number" if item.type is int else "number"
    try:
        number = int(value) if item.type is int else float(value)
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        sentence = f"{name} must be a {kind} from {low} to {high}, not {value!r}."
        raise Invalid(sentence, {name: f"A {kind} from {low} to {high}."})
    return number


def update(session: Session, project: Project, **changes: Any) -> ProjectSettings:
    """Store the changed settings. Raises :class:`Invalid` naming every field that does not fit, and then changes none."""
    clean, wrong = {}, {}
    for name, value in changes.items():
        try:
            clean[name] = _clean(name, value)
        except Invalid as error:
            wrong[name] = error
    if wrong:
        by_field = {name: error.fields.get(name, str(error)) for name, error in wrong.items()}
        raise Invalid(" ".join(str(error) for error in wrong.values()), by_field)
    if any(name in clean and clean[name] != getattr(read(project), name) for name in ("strategy", "seed")):
        request_order(session, project.id)
    values = {**(project.settings or {}), **clean}
    session.execute(sqlalchemy.update(Project).where(Project.id == project.id).values(settings=values))
    if "overlap" in clean:
        is_done = sqlalchemy.case((Question.label_count >= clean["overlap"], "done"), else_="open")
        again = sqlalchemy.update(Question).where(Question.project_id == project.id).values(state=is_done)
        session.execute(again.execution_options(synchronize_session=False))
    session.refresh(project)
    return read(project)
