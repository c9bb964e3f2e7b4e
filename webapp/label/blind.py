"""Blind questions: a few are served without the model's answer, to measure how much people are led by seeing it.

Which ones is decided by a hash of question, person and project seed: nobody chooses, and a reload changes nothing. A question is
blind to a person until they decided something about it (a skip is no decision, an undo takes back none of what was seen), and
never one that was typed to hear the model's answer. What a page really hid comes back signed in its form, so that a setting
changed meanwhile marks no label wrongly.
"""

import hashlib
from collections.abc import Iterable

from flask import current_app
from itsdangerous import Signer
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.ask.queue import Served
from webapp.models import Label, Project, Question
from webapp.projects import settings as project_settings

UNFIT = (
    "accept",
    "wrong_answer",
    "wrong_passage",
)  # decisions about the answer and where it was read: nobody has seen that here


def is_drawn(share: float, seed: int, *, question_id: int, person_id: int) -> bool:
    """The same for the same arguments; true for about ``share`` of all questions."""
    if share <= 0:
        return False
    digest = hashlib.sha256(f"blind:{seed}:{person_id}:{question_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def hidden_from(session: Session, project: Project, person_id: int, questions: Iterable[Question | Served]) -> set[int]:
    """Those of the questions that this person has still to decide without the model's answer."""
    settings = project_settings.read(project)
    drawn = {
        question.id
        for question in questions
        if question.source != "typed"
        and (isinstance(question, Served) or question.state == "open")
        and is_drawn(settings.blind, settings.seed, question_id=question.id, person_id=person_id)
    }
    if not drawn:
        return drawn
    decided = select(Label.question_id).where(
        Label.question_id.in_(drawn), Label.person_id == person_id, Label.verdict.not_in(("skip", "undo"))
    )
    return drawn - set(session.scalars(decided))


def is_blind(session: Session, project: Project, question: Question | Served, person_id: int) -> bool:
    """Whether the page hides the model's answer."""
    return bool(hidden_from(session, project, person_id, [question]))


def seal(*, question_id: int, person_id: int, version: int, answer_id: int) -> str:
    """What the form of a page that hid this answer carries."""
    return _signer().get_signature(_said(question_id, person_id, version, answer_id)).decode()


def is_sealed(value: str, *, question_id: int, person_id: int, version: int, answer_id: int | None) -> bool:
    """Whether our own page hid this very answer from this person; without a seal, or with a forged one, it did not."""
    if not value or answer_id is None or not value.isascii():
        return False
    return _signer().verify_signature(_said(question_id, person_id, version, answer_id), value)


def _said(question_id: int, person_id: int, version: int, answer_id: int) -> bytes:
    return f"{question_id}:{person_id}:{version}:{answer_id}".encode()


def _signer() -> Signer:
    return Signer(
        current_app.config["SECRET_KEY"], salt="errata.blind", key_derivation="hmac", digest_method=hashlib.sha256
    )
