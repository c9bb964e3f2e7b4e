"""The "after N changed labels" rule, asked after each submitted label."""

import time

from webapp.db import write
from webapp.errors import Busy, Invalid
from webapp.iterations import service
from webapp.iterations.readiness import count_changes, find_problem, is_due
from webapp.models import Iteration, Project, db

LOOK_AGAIN_S = 10.0

# When a due project was last found unable to start: its labels are not all counted again at every submission.
_hindered: dict[int, float] = {}


def maybe_start(project_id: int) -> Iteration | None:
    """Start an iteration when enough labels changed; None when it is not due, not possible yet, or one is on its way."""
    project = db.session.get(Project, project_id, populate_existing=True)
    if project is None or project.deleted_at is not None or not is_due(project):
        return None
    if time.monotonic() - _hindered.get(project_id, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
        return None
    if service.running_iteration(project_id) is not None or find_problem(project):
        _hindered[project_id] = time.monotonic()
        return None
    changed = min(count_changes(project))
    try:
        with write() as session:
            return service.start(session, project, person=None, reason=f"After {changed} changed labels.")
    except (Busy, Invalid):
        return None  # another label of the same moment started it, or took away what made it possible
