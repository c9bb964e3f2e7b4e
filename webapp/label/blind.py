"""Blind questions: a few are served without the model's answer, to measure how much people are led by seeing it.

Which ones is decided by a hash of question, person and project seed: nobody chooses, and a reload changes nothing. A question is
blind to a person only before their first decision on it, and never one that was typed to hear the model's answer.
"""

import hashlib

from webapp.ask.queue import Served
from webapp.models import Project, Question
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


def is_blind(project: Project, question: Question | Served, person_id: int, *, version: int) -> bool:
    """``version``: of the person's newest label on the question, 0 for none; a decision sent with another one is stale anyway."""
    if version or question.source == "typed":
        return False
    settings = project_settings.read(project)
    return is_drawn(settings.blind, settings.seed, question_id=question.id, person_id=person_id)
