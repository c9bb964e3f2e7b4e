"""The annotate form as a ``Submission``."""

import time
from collections.abc import Mapping

from webapp.errors import Forbidden, Invalid
from webapp.label.blind import is_sealed
from webapp.label.submission import DECISIONS, Submission
from webapp.people.service import SignedIn


def read_submission(form: Mapping[str, str], *, project_id: int, question_id: int, person: SignedIn) -> Submission:
    """Raises :class:`Invalid` when the form is not one of our pages', :class:`Forbidden` when somebody else opened it."""
    if form.get("person", str(person.id)) != str(person.id):
        raise Forbidden("This page was opened by somebody else, so nothing was saved under your name; reload it.")
    decision = form.get("decision", "")
    if decision not in DECISIONS:
        raise Invalid(f"{decision[:40]!r} is no decision; use one of the buttons: {', '.join(DECISIONS)}.")
    verdict, reject_reason = DECISIONS[decision]
    passage_id, answer_id, version = _number(form, "passage"), _number(form, "answer_id"), _number(form, "version") or 0
    has_span = passage_id is not None and passage_id == _number(form, "evidence_passage")
    return Submission(
        question_id=question_id, person_id=person.id, submission_id=form.get("submission_id", ""),
        version=version, verdict=verdict, reject_reason=reject_reason,
        text=_lines(form.get("text", "")), answer_id=answer_id, passage_id=passage_id,
        start=_number(form, "start") if has_span else None, end=_number(form, "end") if has_span else None,
        reason=_lines(form.get("reason", "")), seconds=_seconds(form), project_id=project_id,
        is_blind=is_sealed(
            form.get("blind", ""), question_id=question_id, person_id=person.id, version=version, answer_id=answer_id
        ),
    )  # fmt: skip


def _number(form: Mapping[str, str], name: str) -> int | None:
    value = form.get(name, "")
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 15:
        raise Invalid(
            f"The form's field {name} should be a number, not {value[:40]!r}; reload the page and decide again."
        )
    return int(value)


def _lines(text: str) -> str:
    """A browser sends line ends as CR LF, and text areas are asked for characters as the page has them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _seconds(form: Mapping[str, str]) -> float:
    shown_at = _number(form, "shown_at")
    return max(0.0, time.time() - shown_at) if shown_at else 0.0
