"""Which labels teach what, and which are left out and why. Pure: it sees no database and no passage text.

An answer (``accept``, ``correct``) is a supervised row; ``unanswerable`` and ``wrong_passage`` say that a passage does not answer
the question; a wrong answer without a correction is counted as a negative but has no row yet; a skip teaches nothing.
On one question the newest judgement wins: older ones that say something else are left out and reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from training.split import split_of

REASONS = {
    "skip": "The question was skipped.",
    "wrong_answer": "A wrong answer without a correction: counted as a negative, but there is no right answer to learn from yet.",
    "contradicted": "It contradicts the newer label {newer} on the same question; the newest wins.",
    "agrees": "It says the same as the newer label {newer}; its wording counts as one more right answer in the evaluation.",
    "no_text": "The right answer is empty.",
    "no_passage": "No passage is known for it: none was chosen and none was shown.",
}


@dataclass(frozen=True)
class Judged:
    """One current label with what decides its row. Passages are ids; ``read_passage`` is the one the answer was read in."""

    label: int
    question: int
    question_text: str
    verdict: str
    reject_reason: str | None
    text: str
    passage: int | None
    start: int | None
    answer: int | None
    read_passage: int | None
    first_passage: int | None

    @property
    def decision(self) -> str:
        return self.reject_reason or self.verdict

    @property
    def judged_passage(self) -> int | None:
        """The passage the verdict speaks of: for an answer the chosen one, for a rejected passage the one that was read."""
        shown = self.read_passage or self.first_passage
        return shown or self.passage if self.decision == "wrong_passage" else self.passage or shown


@dataclass(frozen=True)
class Row:
    """One example to be. ``also_right`` are other people's wordings; ``ruled_out`` the passages a label says are wrong."""

    label: int
    question: int
    question_text: str
    kind: str
    text: str
    answerable: bool
    passage: int | None
    passage_chosen: bool
    start: int | None
    answer: int | None
    split: str
    also_right: tuple[str, ...] = ()
    ruled_out: tuple[int, ...] = ()
    is_passage_only: bool = False  # speaks of this passage alone, not of the question


@dataclass(frozen=True)
class LeftOut:
    label: int
    question: int
    question_text: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Decided:
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]


def decide(judged: Iterable[Judged], *, uses_passages: bool) -> Decided:
    """Rows and left-out labels, questions in the order of their first label here."""
    by_question: dict[int, list[Judged]] = {}
    for label in judged:
        by_question.setdefault(label.question, []).append(label)
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    for labels in by_question.values():
        _decide_question(sorted(labels, key=lambda label: -label.label), uses_passages, rows, left_out)
    return Decided(tuple(rows), tuple(left_out))


def _decide_question(labels: list[Judged], uses_passages: bool, rows: list[Row], left_out: list[LeftOut]) -> None:
    winner: Judged | None = None
    pairs: dict[int | None, Judged] = {}
    wordings: list[str] = []
    for label in labels:
        reason = _unusable(label, uses_passages)
        rival = None if reason else _rival(label, winner, pairs)
        if reason:
            left_out.append(_leave_out(label, reason))
        elif rival is not None:
            agrees = _agree(label, rival)
            left_out.append(_leave_out(label, "agrees" if agrees else "contradicted", rival.label))
            if agrees and label.text and label.text != rival.text:
                wordings.append(label.text)
        elif label.decision == "wrong_passage":
            pairs[label.judged_passage] = label
        else:
            winner = label
    if winner is not None:
        rows.append(_answer_row(winner, tuple(dict.fromkeys(wordings)), tuple(p for p in pairs if p is not None)))
    rows.extend(_pair_row(pair) for pair in pairs.values())


def _unusable(label: Judged, uses_passages: bool) -> str | None:
    if label.decision in ("skip", "wrong_answer"):
        return label.decision
    if label.verdict == "correct" and not label.text.strip():
        return "no_text"
    if uses_passages and label.judged_passage is None:
        return "no_passage"
    return None


def _rival(label: Judged, winner: Judged | None, pairs: dict[int | None, Judged]) -> Judged | None:
    """The newer label that speaks of the same thing: the question as a whole, or this very passage for it."""
    same_passage = pairs.get(label.judged_passage)
    if label.decision == "wrong_passage":
        return same_passage or (winner if winner and winner.judged_passage == label.judged_passage else None)
    return winner or (same_passage if label.text.strip() else None)


def _agree(one: Judged, other: Judged) -> bool:
    """Both say "not answerable", or both give one answer but for case, spacing and a full stop."""
    first, second = (" ".join(label.text.casefold().split()).strip(" .!") for label in (one, other))
    return first == second


def _answer_row(label: Judged, also_right: tuple[str, ...], ruled_out: tuple[int, ...]) -> Row:
    return Row(
        label=label.label, question=label.question, question_text=label.question_text,
        kind="negative" if label.decision == "unanswerable" else label.verdict,
        text=label.text if label.decision != "unanswerable" else "",
        answerable=label.decision != "unanswerable" and bool(label.text.strip()),
        passage=label.judged_passage, passage_chosen=label.passage is not None, start=label.start, answer=label.answer,
        split=split_of(label.question_text), also_right=also_right, ruled_out=ruled_out,
    )  # fmt: skip


def _pair_row(label: Judged) -> Row:
    return Row(
        label=label.label, question=label.question, question_text=label.question_text, kind="negative", text="",
        answerable=False, passage=label.judged_passage, passage_chosen=True, start=None,
        answer=label.answer, split=split_of(label.question_text), is_passage_only=True,
    )  # fmt: skip


def _leave_out(label: Judged, why: str, newer: int | None = None) -> LeftOut:
    return LeftOut(label.label, label.question, label.question_text, why, REASONS[why].format(newer=newer))
