"""What a project's people can change: one frozen dataclass read from ``project.settings``."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import sqlalchemy
from sqlalchemy.orm import Session

from training.lessons import PREFERENCES
from webapp.errors import Invalid
from webapp.models import Project, Question
from webapp.reordering import request_order

# Name -> its choices, each with what it means; the first is the default.
CHOICES: dict[str, dict[str, str]] = {
    "method": {"full": "all of them", "lora": "a small addition to them, which forgets less and learns less"},
    "strategy": {
        "random": "in any order",
        "uncertain": "those the model is least sure of",
        "diverse": "those least like what came before",
        "uncertain_diverse": "both: unsure of, and unlike what came before",
        "worst_slice": "the kind of question the model gets wrong most",
        "newest": "those that came last",
    },
    "learn_retriever": {
        "off": "no",
        "on": "yes, by how passages are ranked or a small addition to the embeddings",
        "encoder": "yes, its sentence encoder too; takes minutes, and embeds every passage again when it helps",
    },
    "rehearsal": {"on": "yes", "off": "no"},
    "abstention": {"on": "yes", "off": "no, they only judge"},
    "rejects": {"off": "no", "on": "yes"},
    "preferences": dict(zip(PREFERENCES, ("no", "yes, by direct preference optimisation"), strict=True)),
    "warm_up": {"off": "no", "on": "yes"},
    "similarity": {"on": "yes", "off": "no"},
}
STRATEGIES = tuple(CHOICES["strategy"])


def setting(default: Any, low: float, high: float, help: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help})


@dataclass(frozen=True)
class ProjectSettings:
    train_after: int = setting(
        50,
        0,
        100_000,
        "An iteration starts by itself after this many new or changed labels; 0 leaves it to the button.",
    )
    overlap: int = setting(1, 1, 50, "How many people decide a question before it leaves the queue.")
    passages_shown: int = setting(5, 1, 20, "How many passages are found for a question, shown, and read by the model.")
    lease_s: int = setting(
        900,
        30,
        86_400,
        "For how many seconds a question is kept for the person who took it; then somebody else may get it.",
    )
    seed: int = setting(
        0, 0, 2**31 - 1,
        "Any number; the same one draws the same lots again: in training, in the order, and for who gets a question blind.",
    )  # fmt: skip
    epochs: float = setting(4.0, 0.01, 1000.0, "How often training goes through all examples; more takes longer.")
    method: str = setting("full", 0, 0, "Which of the model's weights training changes.")
    strategy: str = setting(
        "random", 0, 0, "Which waiting question comes next; questions that are nearly the same never follow each other."
    )
    learn_retriever: str = setting(
        "on", 0, 0, "Whether iterations train the search for passages too; only what helps on labels held out is kept."
    )
    rehearsal: str = setting(
        "on", 0, 0, "Whether some of what the base model was first taught is mixed in, so that it does not forget it."
    )
    abstention: str = setting(
        "on", 0, 0,
        "Whether the model learns from labels that say “unanswerable” or “wrong passage”. Otherwise they only judge it: from which confidence on it "
        "answers, and how much likeness counts.",
    )  # fmt: skip
    variations: int = setting(0, 0, 8, "In how many other wordings each labelled question is learned; 0 adds none.")
    passed_over: int = setting(
        0, 0, 20,
        "From how many of the passages shown beside the right one it learns that they do not answer the question; each is one more row to learn, 0 adds none.",
    )  # fmt: skip
    rejects: str = setting(
        "off",
        0,
        0,
        "Whether an answer that was called wrong, without a correction, pushes the model gently away from it.",
    )
    preferences: str = setting(
        "off", 0, 0,
        "Whether a model that writes also learns that a correction is better than what it replaced, if validation says that it helps.",
    )  # fmt: skip
    warm_up: str = setting(
        "off", 0, 0, "Whether it first practises on the documents alone, by finding phrases that were hidden in them."
    )
    similarity: str = setting(
        "on", 0, 0,
        "Whether it counts how alike a question is to its passage and to the answer found there, when the model judges whether there is an "
        "answer: a little at first, then as much as the labels say.",
    )  # fmt: skip
    blind: float = setting(
        0.1,
        0.0,
        1.0,
        "Which part of the questions comes without the model's answer, to see how much it leads people; 0.1 is one in ten.",
    )
    effects: int = setting(
        100,
        0,
        2000,
        "How many of the newest labelled questions an iteration asks again, to show what their labels changed.",
    )
    slice_noise: float = setting(
        2.0, 0.0, 5.0,
        "A person decides when one kind of test question loses more than one point plus this many standard errors; 2 forgives what is "
        "likely chance, 0 forgives nothing. Of 100 fixed questions or more of a kind none is forgiven against the model in service.",
    )  # fmt: skip
    slower_at_most: float = setting(
        1.5,
        1.0,
        100.0,
        "A person decides when an answer takes more than this many times as long as before; 1.5 is half as long again.",
    )


def read(project: Project) -> ProjectSettings:
    known = {item.name for item in fields(ProjectSettings)}
    return ProjectSettings(**{name: value for name, value in (project.settings or {}).items() if name in known})


def documented(project: Project) -> list[dict[str, Any]]:
    """Name, value, bounds, choices and help of every setting, for the page and the command line."""
    values = asdict(read(project))
    return [
        {
            "name": item.name,
            "value": values[item.name],
            "choices": tuple(CHOICES.get(item.name, {}).items()),
            **item.metadata,
        }
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
            *others, last = CHOICES[name]
            known = f"{', '.join(others)} or {last}"
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
