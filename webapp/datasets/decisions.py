"""Which labels teach what, and which are left out and why. Pure: it sees no database and no passage text.

One label can give several rows. An answer (``accept``, ``correct``) is a supervised row; ``unanswerable`` and ``wrong_passage``
say that a passage does not answer the question (``negative``); a correction is also a ``preference`` over the answer that was
shown; a wrong answer without a correction is a ``reject``: that answer, or "not answerable" of that one passage, is not to be given; and
what a question's labels say about its passages is a ``Lookup``, from which ``triples.py`` makes the retriever's rows. A skip teaches nothing.
On one question the newest judgement wins: older ones that say something else are left out and reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from training.split import split_of

REJECT_WEIGHT = -0.1
"""Of an answer that is wrong, beside 1 for one that is right: small, as in Gao et al. 2023, "Continually Improving Extractive QA via
Human Feedback"."""
REASONS = {
    "skip": "The question was skipped.",
    "wrong_answer": "A wrong answer without a correction, and neither an answer in words nor one passage that it was said of: counted as a negative, but there is nothing to learn from.",
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
    weight: float = 1.0
    shown_text: str = ""  # "" when nothing, or "not answerable", was shown
    is_blind: bool = False  # the person did not see the answer, so what they wrote corrects nothing
    second_passage: int | None = None  # None where the answer was shown with one passage

    @property
    def decision(self) -> str:
        return self.reject_reason or self.verdict

    @property
    def judged_passage(self) -> int | None:
        """The passage the verdict speaks of: for an answer the chosen one, for what is rejected the one that was read."""
        shown = self.read_passage or self.first_passage
        if self.decision == "wrong_answer" and not self.shown_text.strip():
            # "Not answerable" was said of all the passages together: the opposite holds for one alone only where there was one, or where
            # the person named it.
            return self.passage or (shown if self.second_passage is None else None)
        return shown or self.passage if self.decision in ("wrong_passage", "wrong_answer") else self.passage or shown


@dataclass(frozen=True)
class Row:
    """One example to be. ``also_right`` are other people's wordings; ``ruled_out`` the passages a label says are wrong.

    In a ``preference`` the ``text`` is preferred to ``rejected``; in a ``reject`` the ``text`` is what must not be said, "not answerable" where
    it is empty.
    """

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
    weight: float = 1.0
    rejected: str | None = None


@dataclass(frozen=True)
class Lookup:
    """What a question's labels say about where its answer stands, the newest label first.

    ``answered`` is the row whose passage has the answer; ``chosen`` and ``ruled_out`` are (label, passage) of passages a person
    named as the right one or rejected; ``shown`` the answers whose passages were before them.
    """

    question: int
    question_text: str
    split: str
    answered: Row | None
    chosen: tuple[tuple[int, int], ...]
    ruled_out: tuple[tuple[int, int], ...]
    shown: tuple[int, ...]


@dataclass(frozen=True)
class LeftOut:
    label: int
    question: int
    question_text: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Decided:
    """``rows`` are the supervised ones and the negatives: one question's rows are in one split, whatever their kind."""

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    preferences: tuple[Row, ...] = ()
    rejects: tuple[Row, ...] = ()
    lookups: tuple[Lookup, ...] = ()


Refused = tuple[str, int | None]
"""A rejected answer: its words, or "" with the passage of which "not answerable" is wrong."""


@dataclass
class _Judgements:
    """One question's labels sorted into those that count and those that do not, the newest first."""

    winner: Judged | None = None
    pairs: dict[int | None, Judged] = field(default_factory=dict)  # rejected passages
    refused: dict[Refused, Judged] = field(default_factory=dict)  # rejected answers
    wordings: dict[str, None] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def decide(judged: Iterable[Judged], *, uses_passages: bool) -> Decided:
    """Rows and left-out labels, questions in the order of their first label here."""
    by_question: dict[int, list[Judged]] = {}
    for label in judged:
        by_question.setdefault(label.question, []).append(label)
    rows: list[Row] = []
    preferences: list[Row] = []
    rejects: list[Row] = []
    lookups: list[Lookup] = []
    left_out: list[LeftOut] = []
    for labels in by_question.values():
        found = _judge_question(sorted(labels, key=lambda label: -label.label), uses_passages)
        answer = _answer_row(found.winner, found) if found.winner is not None else None
        if answer is not None and found.winner is not None:
            rows.append(answer)
            preferences.extend(_preference(answer, found.winner))
        rows.extend(_pair_row(pair) for pair in found.pairs.values())
        rejects.extend(_reject_row(label) for label in found.refused.values())
        if uses_passages:
            lookups.append(_lookup(found, answer, labels))
        left_out.extend(found.left_out)
    return Decided(tuple(rows), tuple(left_out), tuple(preferences), tuple(rejects), tuple(lookups))


def _judge_question(labels: list[Judged], uses_passages: bool) -> _Judgements:
    found = _Judgements()
    for label in labels:
        reason = _unusable(label, uses_passages)
        rival = None if reason else _rival(label, found)
        if reason:
            found.left_out.append(_leave_out(label, reason))
        elif rival is not None:
            agrees = label.decision == rival.decision == "wrong_answer" or _agree(label, rival)
            found.left_out.append(_leave_out(label, "agrees" if agrees else "contradicted", rival.label))
            if agrees and label.text and label.text != rival.text:
                found.wordings[label.text] = None
        elif label.decision == "wrong_passage":
            found.pairs[label.judged_passage] = label
        elif label.decision == "wrong_answer":
            found.refused[_refused(label)] = label
        else:
            found.winner = label
    return found


def _unusable(label: Judged, uses_passages: bool) -> str | None:
    if label.decision == "skip":
        return label.decision
    has_passage = label.judged_passage is not None or not uses_passages
    if label.decision == "wrong_answer":
        saw_refusal = uses_passages and label.answer is not None and not label.is_blind
        return None if (label.shown_text.strip() or saw_refusal) and has_passage else label.decision
    if label.verdict == "correct" and not label.text.strip():
        return "no_text"
    return None if has_passage else "no_passage"


def _rival(label: Judged, found: _Judgements) -> Judged | None:
    """The newer label that speaks of the same thing: the question as a whole, this very passage for it, or this very answer."""
    winner = found.winner
    same_passage = found.pairs.get(label.judged_passage)
    if label.decision == "wrong_answer":
        says, passage = _refused(label)
        is_right = winner is not None and _plain(winner.text) == says
        opposite = same_passage if passage is not None else None
        return found.refused.get((says, passage)) or opposite or (winner if is_right else None)
    if label.decision == "wrong_passage":
        is_right = winner is not None and winner.judged_passage == label.judged_passage
        return same_passage or found.refused.get(("", label.judged_passage)) or (winner if is_right else None)
    if not label.text.strip():
        has_answer = (one for (_, passage), one in found.refused.items() if passage is not None)
        return winner or next(has_answer, None)
    return winner or same_passage or found.refused.get((_plain(label.text), None))


def _refused(label: Judged) -> Refused:
    return (_plain(label.shown_text), None) if label.shown_text.strip() else ("", label.judged_passage)


def _agree(one: Judged, other: Judged) -> bool:
    """Both say "not answerable", or both give one answer but for case, spacing and a full stop."""
    return "wrong_answer" not in (one.decision, other.decision) and _plain(one.text) == _plain(other.text)


def _plain(text: str) -> str:
    plain = " ".join(text.casefold().split())
    return plain.strip(" .!") or plain


def _answer_row(label: Judged, found: _Judgements) -> Row:
    text = label.text if label.decision != "unanswerable" else ""
    is_answerable = bool(text.strip())
    return Row(
        label=label.label, question=label.question, question_text=label.question_text,
        kind=label.verdict if is_answerable else "negative", text=text, answerable=is_answerable,
        passage=label.judged_passage, passage_chosen=label.passage is not None, start=label.start, answer=label.answer,
        split=split_of(label.question_text), also_right=tuple(found.wordings),
        ruled_out=tuple(passage for passage in found.pairs if passage is not None), weight=label.weight,
    )  # fmt: skip


def _preference(answer: Row, label: Judged) -> list[Row]:
    """A correction is preferred to what was shown; nothing is preferred to an answer unseen, or the same in other letters."""
    is_correction = label.decision == "correct" and label.answer is not None and not label.is_blind
    if not is_correction or _plain(label.shown_text) == _plain(label.text):
        return []
    return [replace(answer, kind="preference", rejected=label.shown_text, also_right=())]


def _reject_row(label: Judged) -> Row:
    return Row(
        label=label.label, question=label.question, question_text=label.question_text, kind="reject", text=label.shown_text,
        answerable=bool(label.shown_text.strip()), passage=label.judged_passage, passage_chosen=True, start=None, answer=label.answer,
        split=split_of(label.question_text), weight=label.weight if label.weight < 0 else REJECT_WEIGHT * label.weight,
    )  # fmt: skip


def _pair_row(label: Judged) -> Row:
    return Row(
        label=label.label, question=label.question, question_text=label.question_text, kind="negative", text="",
        answerable=False, passage=label.judged_passage, passage_chosen=True, start=None,
        answer=label.answer, split=split_of(label.question_text), is_passage_only=True, weight=label.weight,
    )  # fmt: skip


def _lookup(found: _Judgements, answer: Row | None, labels: list[Judged]) -> Lookup:
    overruled = {out.label for out in found.left_out if out.kind != "wrong_answer"}
    counted = [label for label in labels if label.label not in overruled]
    chosen = [
        (label.label, label.passage) for label in counted if label.verdict == "reject" and label.passage is not None
    ]
    return Lookup(
        question=labels[0].question, question_text=labels[0].question_text, split=split_of(labels[0].question_text),
        answered=answer, chosen=tuple(chosen),
        ruled_out=tuple((label.label, passage) for passage, label in found.pairs.items() if passage is not None),
        shown=tuple(label.answer for label in counted if label.answer is not None),
    )  # fmt: skip


def _leave_out(label: Judged, why: str, newer: int | None = None) -> LeftOut:
    return LeftOut(label.label, label.question, label.question_text, why, REASONS[why].format(newer=newer))
