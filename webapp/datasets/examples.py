"""Decided rows plus passage texts give training examples and evaluation rows. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.answerers.rows import find_answer
from training.types import Example, Gold, Preference, Target
from webapp.datasets.decisions import Row


@dataclass(frozen=True)
class Texts:
    """What rows point at: passage texts by id, the passage ids each answer was shown with, best first, and which of the passages
    left the corpus since with their document."""

    passages: Mapping[int, str]
    shown: Mapping[int, Sequence[int]]
    deleted: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Evaluation:
    """One validation or test row. ``question`` is None for rehearsal; ``source`` is ``label``, ``gold`` or ``rehearsal``."""

    gold: Gold
    source: str
    question: int | None = None
    label: int | None = None


def locate(text: str, passage: str, start: int | None = None) -> int | None:
    """Where ``text`` stands in ``passage``, by :func:`training.answerers.rows.find_answer`."""
    found = find_answer(text, passage, start)
    return None if found is None else found[0]


def passage_of(row: Row, texts: Texts) -> int | None:
    """The row's passage. A correction that is not in the passage that was read goes with the first shown passage that has it."""
    if row.passage_chosen or not row.answerable or row.answer is None:
        return row.passage
    candidates = [row.passage, *texts.shown.get(row.answer, ())]
    for passage in candidates:
        if passage is None or passage in row.ruled_out:
            continue
        if locate(row.text, texts.passages.get(passage, "")) is not None:
            return passage
    return row.passage


def to_example(row: Row, texts: Texts) -> Example:
    passage = texts.passages.get(passage_of(row, texts) or 0, "")
    target = Target(
        row.text if row.answerable else "",
        row.answerable,
        locate(row.text, passage, row.start) if row.answerable else None,
    )
    return Example(row.question_text, passage, target, row.weight, row.kind, row.label)


def to_preference(row: Row, texts: Texts) -> Preference:
    """The correction as what is right, the shown answer ("" for "not answerable") as what is not, both for the right passage."""
    example = to_example(row, texts)
    rejected = Target(row.rejected or "", bool(row.rejected), locate(row.rejected or "", example.passage))
    return Preference(example.text, example.passage, example.target, rejected, row.weight, row.label)


def to_evaluation(row: Row, texts: Texts) -> Evaluation:
    """The question with the passages its answer was shown with, the right one added at the end when it was not among them.

    A rejected passage alone is asked about alone: the label says nothing about the others.
    """
    right = passage_of(row, texts)
    shown = [] if row.is_passage_only or row.answer is None else list(texts.shown.get(row.answer, ()))
    if right is not None and right not in shown:
        shown.append(right)
    passages = tuple(texts.passages[passage] for passage in shown if passage in texts.passages)
    answers = (row.text, *row.also_right) if row.answerable else ()
    return Evaluation(Gold(str(row.question), row.question_text, passages, answers), "label", row.question, row.label)


def to_evaluations(rows: Iterable[Row], texts: Texts) -> list[Evaluation]:
    """One per question; where a question has an answer and a rejected passage, the answer is what is asked for."""
    whole_first = sorted(rows, key=lambda row: row.is_passage_only)
    found: dict[int, Row] = {}
    for row in whole_first:
        found.setdefault(row.question, row)
    return [to_evaluation(row, texts) for row in found.values()]
