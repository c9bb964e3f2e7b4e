"""What was in service, when, and who decided it: read from the audit rows that promoting leaves in its own transaction."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from webapp.models import AuditEvent, Iteration, Person, Project, Release, db
from webapp.releases.service import COMMAND, ERRATA, GATE

SHOWN = 20


@dataclass(frozen=True)
class Promotion:
    """One change of the release in service. ``by``: a person's name, the gate, Errata (a new index) or the command line."""

    at: dt.datetime
    release: int
    previous: int | None
    iteration: int | None  # that made its model, also when this release only gave the model another index
    gate: str  # what the gate said of that iteration; "" without one
    by: str
    is_by_hand: bool  # by a person, or a command that one typed
    reason: str
    is_rollback: bool  # to an earlier release, which had been in service before
    is_same_model: bool  # as just before, only with another index

    @property
    def overrules_gate(self) -> bool:
        return self.gate == "hold" and not self.is_same_model


@dataclass(frozen=True)
class _Made:
    """A release, and the iteration that made its model."""

    answerer: str
    reason: str
    iteration: int | None
    gate: dict[str, Any]


def promotions(project: Project) -> list[Promotion]:
    """Every change of the release in service, newest first. Rows from before it was recorded who decided where no person did, and whether it
    was a roll-back, are told by their texts and numbers."""
    made, found, seen = _made(project), list[Promotion](), set[int]()
    for event, name in _events(project):
        number, previous, reason = (event.detail.get(key) for key in ("release", "previous", "reason"))
        one, before, reason = made.get(number), made.get(previous), reason or ""
        if one is None:
            continue  # nothing can be told of it, and what else there is should be
        by = name or event.detail.get("by") or _without_person(one, reason)
        found.append(Promotion(
            event.created_at, number, previous, one.iteration, one.gate.get("decision", ""), by, name is not None or by == COMMAND, reason,
            is_rollback=event.detail.get("rollback", number in seen and number < (previous or 0)),
            is_same_model=before is not None and before.answerer == one.answerer,
        ))  # fmt: skip
        seen.add(number)
    return found[::-1]


def model_promotion(found: Sequence[Promotion]) -> Promotion | None:
    """Of promotions, newest first: the one that brought the model in service, whatever index it got since."""
    return next((one for one in found if not one.is_same_model), None)


def _events(project: Project) -> Sequence[Any]:
    statement = (
        select(AuditEvent, Person.name).outerjoin(Person, Person.id == AuditEvent.person_id)
        .where(AuditEvent.project_id == project.id, AuditEvent.action == "release.promote").order_by(AuditEvent.id)
    )  # fmt: skip
    return db.session.execute(statement).all()


def _made(project: Project) -> dict[int, _Made]:
    """By the release's number. A release without an iteration has that of the first one with the same model."""
    statement = (
        select(Release.number, Release.answerer_sha256, Release.reason, Iteration.number, Iteration.gate)
        .outerjoin(Iteration, Iteration.id == Release.iteration_id).where(Release.project_id == project.id).order_by(Release.id)
    )  # fmt: skip
    rows = db.session.execute(statement).all()
    makers: dict[str, tuple[int, dict[str, Any]]] = {}
    for _, answerer, _, iteration, gate in rows:
        if iteration is not None:
            makers.setdefault(answerer, (iteration, gate or {}))
    return {
        number: _Made(answerer, reason, *((iteration, gate or {}) if iteration is not None else makers.get(answerer, (None, {}))))
        for number, answerer, reason, iteration, gate in rows
    }  # fmt: skip


def _without_person(made: _Made, reason: str) -> str:
    """Of an old row. Who promotes without a person tells so by the reason: an index gives its own to release and promotion alike, the gate one of its."""
    if reason == made.reason:
        return ERRATA
    if made.gate.get("decision") == "promote" and reason in made.gate.get("reasons", ()):
        return GATE
    return COMMAND
