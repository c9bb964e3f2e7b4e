"""The "after N changed labels" rule, asked after each submitted label."""

from webapp.db import write
from webapp.errors import Busy, Invalid
from webapp.iterations import service
from webapp.iterations.readiness import assess
from webapp.models import Iteration, Project, db


def maybe_start(project_id: int) -> Iteration | None:
    """Start an iteration when enough labels changed; None when it is not due, not possible yet, or one is on its way."""
    project = db.session.get(Project, project_id)
    if project is None or project.deleted_at is not None:
        return None
    readiness = assess(project)
    if not readiness.is_due or readiness.problem or service.running_iteration(project_id) is not None:
        return None
    changed = min(readiness.changed, readiness.changed_since_last)
    try:
        with write() as session:
            return service.start(session, project, person=None, reason=f"After {changed} changed labels.")
    except (Busy, Invalid):
        return None  # another label of the same moment started it, or took away what made it possible
