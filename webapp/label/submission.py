"""What a person sends when they decide, and the rules of each verdict. Reads no request."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.errors import Invalid
from webapp.models import REJECT_REASONS, VERDICTS, Answer, Passage

MAX_TEXT = 20_000
MAX_REASON = 4_000
DECISIONS = {
    "accept": ("accept", None),
    "correct": ("correct", None),
    **{reason: ("reject", reason) for reason in REJECT_REASONS},
    "skip": ("skip", None),
}

UNSEEN = (
    "There was neither an answer nor a passage to judge when this page was made, so nothing was saved: ask the model first, write the "
    "answer yourself, or skip."
)


@dataclass(frozen=True)
class Submission:
    """One decision. ``version`` is that of the person's newest label on the question when the form was rendered, 0 for none.

    ``submission_id`` is random and stays the same when the same decision is sent again; ``answer_id`` is the answer that was
    shown; ``start``/``end`` count characters in the passage ``passage_id``.
    """

    question_id: int
    person_id: int
    submission_id: str
    version: int
    verdict: str
    reject_reason: str | None = None
    text: str = ""
    answer_id: int | None = None
    passage_id: int | None = None
    start: int | None = None
    end: int | None = None
    reason: str = ""
    seconds: float = 0.0
    project_id: int | None = None  # if given, the question must be in this project
    is_blind: bool = False  # the page hid the model's answer


class Shown(NamedTuple):
    """What the deciding person had before them, as far as the rules of the verdicts ask."""

    question_id: int
    text: str
    answerable: bool


# Made once, and of the table instead of the class: this runs while the label is being written.
_answer = Answer.__table__.c
_SHOWN = select(*(_answer[name] for name in Shown._fields)).where(_answer.id == bindparam("answer"))


def decision_of(verdict: str, reject_reason: str | None) -> str:
    """The one word a button carries: a verdict, or for a rejection its reason."""
    return reject_reason or verdict


def clean(session: Session, submission: Submission, question: Any, shown: Shown | None) -> Submission:
    """The submission as it is stored. Raises :class:`Invalid` with one sentence; nothing was written then.

    ``question`` is a :class:`Question` or its row; ``shown`` is None when there was no answer, or the question was served blind.
    """
    if not 8 <= len(submission.submission_id) <= 64 or not submission.submission_id.isascii():
        raise Invalid("The form came without its number, so nothing was saved; reload the page and decide again.")
    if submission.verdict not in VERDICTS or submission.verdict == "undo":
        raise Invalid(f"{submission.verdict[:40]!r} is no verdict; it is one of {', '.join(DECISIONS)}.")
    if (submission.verdict == "reject") != (submission.reject_reason in REJECT_REASONS):
        raise Invalid(
            "Say why it is rejected: wrong_answer, wrong_passage or unanswerable; other verdicts take no such reason."
        )
    if submission.verdict == "reject" and submission.answer_id is None:
        raise Invalid(UNSEEN)  # passages come with the answer: before it nobody knows what they do not say
    _check_lengths(submission)
    _check_passage(session, submission, question)
    seconds = min(max(submission.seconds, 0.0), 86_400.0)
    return replace(submission, text=_right_text(submission, shown), reason=submission.reason.strip(), seconds=seconds)


def shown_answer(session: Session, submission: Submission, question: Any) -> Shown | None:
    """Raises :class:`Invalid` when the answer is not one of this question."""
    if submission.answer_id is None:
        return None
    row = session.connection().execute(_SHOWN, {"answer": submission.answer_id}).first()
    if row is None or row.question_id != question.id:
        raise Invalid(
            "The answer this decision is about belongs to another question; reload the page and decide again."
        )
    return Shown._make(row)


def _check_lengths(submission: Submission) -> None:
    for name, text, most in (("text", submission.text, MAX_TEXT), ("reason", submission.reason, MAX_REASON)):
        if len(text) > most:
            label = "correction" if name == "text" else "reason"
            sentence = f"The {label} has {len(text):,} characters where at most {most:,} fit; shorten it."
            raise Invalid(sentence, {name: sentence})


def _check_passage(session: Session, submission: Submission, question: Any) -> None:
    if submission.passage_id is None:
        if submission.start is not None or submission.end is not None:
            raise Invalid("Evidence needs the passage it is in; choose the passage too.")
        return
    passage = session.get(Passage, submission.passage_id)
    if passage is None or passage.project_id != question.project_id:
        raise Invalid("The chosen passage is not in this project's corpus; reload the page and choose again.")
    start, end = submission.start, submission.end
    if (start is None) != (end is None):
        raise Invalid("Evidence needs both its first and its last character.")
    if start is not None and end is not None and not 0 <= start < end <= len(passage.text):
        raise Invalid(
            f"The evidence {start}-{end} is not inside the passage, which has {len(passage.text)} characters."
        )


def _right_text(submission: Submission, answer: Shown | None) -> str:
    if submission.verdict == "accept":
        if answer is None:
            raise Invalid("There is no answer to accept yet; write the right one and press Save correction.")
        return answer.text
    if submission.verdict != "correct":
        return ""
    text = submission.text.strip()
    if not text:
        raise Invalid("Write the right answer in words first; nothing was saved.", {"text": "Write the right answer."})
    is_same = answer is not None and answer.answerable and text == answer.text.strip()
    if is_same and submission.passage_id is None:
        sentence = "The correction is the same as the model's answer: change it, or press Accept."
        raise Invalid(sentence, {"text": sentence})
    return text
