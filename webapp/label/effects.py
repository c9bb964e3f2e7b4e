"""What labels changed, read from the effects that iterations stored: for one label, and in a line for each of a person's last ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.orm import Session

from webapp.models import DatasetLabel, Iteration, LabelEffect
from webapp.releases.service import iterations_in_service
from webapp.rightness import describe_answer, describe_rank, word_for

DID = {"train": "taught", "validation": "tuned", "test": "tested"}

_effect, _iteration, _used = LabelEffect.__table__.c, Iteration.__table__.c, DatasetLabel.__table__.c
# A label is in one split of a dataset, whatever kinds of row it gave.
_split = (
    select(func.min(_used.split)).where(_used.dataset_id == _iteration.dataset_id, _used.label_id == _effect.label_id).scalar_subquery()
)  # fmt: skip
# Runs after every label, so it is built once, of tables.
_EFFECTS: Any = (
    select(LabelEffect.__table__, _iteration.number, _iteration.gate, _iteration.project_id, _split.label("split"), _iteration.id.label("iteration"))
    .join(Iteration.__table__, _iteration.id == _effect.iteration_id)
    .where(_effect.label_id.in_(bindparam("labels", expanding=True)))
    .order_by(_iteration.number.desc())
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """A label's question in one iteration, before and after. ``did``: taught, tuned or tested; ``is_in_service``: its candidate is."""

    iteration: int
    did: str
    decision: str
    is_in_service: bool
    before_text: str
    after_text: str
    before_f1: float
    after_f1: float
    before_word: str
    after_word: str
    ranks: str

    @property
    def change(self) -> str:
        return "good" if self.after_f1 > self.before_f1 else "bad" if self.after_f1 < self.before_f1 else ""


def effects_of(session: Session, label_ids: Sequence[int]) -> list[Effect]:
    """The newest iteration first."""
    rows = session.execute(_EFFECTS, {"labels": list(label_ids)}).all()
    serving = {one for project in {row.project_id for row in rows} for one in iterations_in_service(session, project)}
    return [
        Effect(
            row.number, DID.get(row.split, "asked"), (row.gate or {}).get("decision", ""), row.iteration in serving, row.before_text,
            row.after_text, row.before_f1, row.after_f1, word_for(row.before_f1), word_for(row.after_f1),
            describe_rank(row.before_rank, row.after_rank),
        )
        for row in rows
    ]  # fmt: skip


def newest_lines(session: Session | Connection, label_ids: Sequence[int]) -> dict[int, str]:
    """Label -> what the newest iteration that used it made of its question; labels without a stored effect are absent."""
    lines: dict[int, str] = {}
    for row in session.execute(_EFFECTS, {"labels": list(label_ids)}) if label_ids else ():
        parts = [describe_answer(row.before_f1, row.after_f1), describe_rank(row.before_rank, row.after_rank)]
        said = ", ".join(part for part in parts if part)
        lines.setdefault(row.label_id, f"Your label {DID.get(row.split, 'asked')} iteration {row.number}: {said}")
    return lines
