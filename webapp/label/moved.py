"""Which label moved a passage in a ranking, and the like question it was given on: so that whoever reads can judge whether it should have."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.label.blind import hidden_from
from webapp.models import Label, Project, Question

SHOWN_CHARACTERS = 160


def moves(
    session: Session, project: Project, rows: Sequence[Any], *, question_id: int, viewer_id: int
) -> dict[int, str]:
    """A sentence for each moved passage of ``rows``, by its id. Of a label on a question that the viewer has still to decide blind nothing is
    said: which passage it moved would tell what somebody decided."""
    moved = {row.id: row._mapping for row in rows if row._mapping.get("lift")}
    if not moved:
        return {}  # the usual case, at every label
    # None is among them for what was moved before its label was kept.
    labels = {row["lift_label_id"] for row in moved.values()}
    query = select(Label.id, Question).join(Question, Question.id == Label.question_id).where(Label.id.in_(labels))
    asked = {label: question for label, question in session.execute(query)}
    hidden = hidden_from(session, project, viewer_id, asked.values())
    return {
        passage: _sentence(row["lift"], row["lift_label_id"], asked[row["lift_label_id"]], question_id)
        for passage, row in moved.items()
        if row["lift_label_id"] in asked and asked[row["lift_label_id"]].id not in hidden
    }


def _sentence(lift: float, label: int, asked: Question, question_id: int) -> str:
    how = f"{'Lifted' if lift > 0 else 'Lowered'} by label {label}"
    if asked.id == question_id:
        return f"{how} on this question."
    return f"{how}: like question “{shorten(asked.text, SHOWN_CHARACTERS, placeholder='…')}”"
