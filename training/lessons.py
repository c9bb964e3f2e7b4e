"""What an iteration learns beside the labelled answers, each part switched apart, and the rows that the switches give."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.types import Example, Preference
from training.variations import variations

PREFERENCES = ("off", "dpo")
MOST_PRACTICE = 1500
"""Practice rows of a warm-up: about a minute of a small model's time on two processor cores."""
WARM_UP_EPOCHS = 1.0


@dataclass(frozen=True)
class Lessons:
    """The switches of one run, saved with it. ``variations`` is how many other ways to ask are added for each labelled question.

    ``abstention``: rows labelled "not answerable" are learned; without it they only judge (the threshold, what likeness is worth).
    ``passed_over``: for each labelled answer so many of the passages that were shown and do not hold it are learned as not answering it.
    ``similarity``: the likeness of text and passage may count when "answerable" is judged (:mod:`training.answerability`).
    ``only_warm_up``: practice on the corpus and starting data are all there is to learn from; labelled rows are left alone.
    """

    rehearsal: bool = True
    abstention: bool = True
    variations: int = 0
    passed_over: int = 0
    rejects: bool = False
    preferences: str = "off"
    warm_up: bool = False
    similarity: bool = True
    only_warm_up: bool = False


@dataclass(frozen=True)
class Material:
    """What the switches draw on: answers that were called wrong (weight below zero), questions with passages that were passed over,
    corrections beside what they replaced, and passages of the corpus without any label."""

    rejects: tuple[Example, ...] = ()
    passed_over: tuple[Example, ...] = ()
    preferences: tuple[Preference, ...] = ()
    passages: tuple[str, ...] = ()


def learning_rows(
    train: Sequence[Example], lessons: Lessons, material: Material = Material(), *, seed: int = 0
) -> list[Example]:
    """The supervised pass's rows: ``train``, with or without starting data, its variations, passages passed over and rejected answers.

    A variation repeats a labelled row with the question asked another way: only where the round trip through
    :func:`training.variations.canonical` shows that it asks the same. The same arguments give the same rows.
    """
    rows = [row for row in train if is_learned(row, lessons)]
    rows += [
        replace(example, text=text, kind="variation")
        for example in rows
        if example.kind != "rehearsal" and lessons.variations
        for text in variations(example.text, lessons.variations, seed=seed)
    ]
    rows += list(material.passed_over) if lessons.passed_over else []
    return rows + (list(material.rejects) if lessons.rejects else [])


def is_learned(row: Example, lessons: Lessons) -> bool:
    """Whether a row of the training split is learned, or only judges."""
    if row.kind == "rehearsal":
        return lessons.rehearsal
    return lessons.abstention or row.target.answerable


def practice_rows(passages: Sequence[str], *, seed: int = 0) -> list[Example]:
    """Recurring-span practice from unlabelled passages (Ram et al. 2021), at most :data:`MOST_PRACTICE` rows of kind ``practice``."""
    from random import Random

    from training.recurring_spans import practice

    ordered = sorted(passages)
    Random(f"practice-{seed}").shuffle(ordered)
    return [replace(row, kind="practice") for row in practice(ordered, seed)[:MOST_PRACTICE]]


def count_rows(rows: Sequence[Example]) -> dict[str, int]:
    """How many rows of each kind a pass learns from."""
    return dict(sorted(Counter(row.kind for row in rows).items()))
