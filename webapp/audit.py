"""Who did what to what, when: one append-only row in the same transaction as the deed."""

from typing import Any

from sqlalchemy.orm import Session

from webapp.models import AuditEvent
from webapp.people.service import current_person


def record(
    session: Session, action: str, *, project_id: int | None = None, person_id: int | None = None, **detail: Any
) -> None:
    """``action`` is noun.verb, such as ``release.promote``; ``detail`` must be JSON-able. The person is the signed-in one if not given."""
    person = current_person()
    who = person_id if person_id is not None else person.id if person else None
    session.add(AuditEvent(person_id=who, project_id=project_id, action=action, detail=detail))
