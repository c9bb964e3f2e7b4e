"""What became of each candidate once the gate had spoken: put into service, taken out of it or held back, by whom and why."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select

from webapp.models import AuditEvent, Person, Project, db
from webapp.releases.history import Promotion, promotions


@dataclass(frozen=True)
class Event:
    """``kind``: ``in`` or ``out`` of service, or ``held`` by a person. ``release`` is the one that went into service."""

    at: dt.datetime
    kind: str
    by: str
    reason: str
    release: int | None = None
    is_rollback: bool = False
    is_by_hand: bool = True


def events_of(project: Project) -> dict[int, list[Event]]:
    """By the iteration's number, oldest first."""
    found = defaultdict[int, list[Event]](list)
    before: int | None = None
    for one in reversed(promotions(project)):
        if one.is_same_model:
            continue
        if before is not None:
            found[before].append(_event(one, "out"))
        if one.iteration is not None:
            found[one.iteration].append(_event(one, "in"))
        before = one.iteration
    for number, event in _holds(project):
        found[number].append(event)
    return {number: sorted(events, key=lambda event: event.at) for number, events in found.items()}


def by_hand(events: list[Event]) -> list[Event]:
    """What a list has room for: of the last two events, those a person decided."""
    return [event for event in events[-2:] if event.is_by_hand]


def _event(one: Promotion, kind: str) -> Event:
    return Event(one.at, kind, one.by, one.reason, one.release, one.is_rollback, one.is_by_hand)


def _holds(project: Project) -> list[tuple[int, Event]]:
    statement = (
        select(AuditEvent, Person.name).join(Person, Person.id == AuditEvent.person_id)
        .where(AuditEvent.project_id == project.id, AuditEvent.action == "iteration.hold")
    )  # fmt: skip
    return [
        (event.detail.get("iteration", 0), Event(event.created_at, "held", name, event.detail.get("reason", "")))
        for event, name in db.session.execute(statement)
    ]
