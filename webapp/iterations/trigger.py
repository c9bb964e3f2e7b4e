"""The "after N changed labels" rule, asked after each submitted label and therefore nearly free when it cannot be due yet."""

import time

from webapp.db import write
from webapp.errors import Busy, Invalid
from webapp.iterations import service
from webapp.iterations.readiness import count_changes, find_problem
from webapp.models import Iteration, Project, db
from webapp.projects import settings as project_settings

LOOK_AGAIN_S = 10.0

# Project -> (look again at this monotonic time, or after so many more labels), so that labels are not counted at every submission.
_waiting: dict[int, tuple[float, int]] = {}


def maybe_start(project_id: int) -> Iteration | None:
    """Start an iteration when enough labels changed; None when it is not due, not possible yet, or one is on its way."""
    look_at, labels_left = _waiting.get(project_id, (0.0, 0))
    if labels_left > 1 and time.monotonic() < look_at:
        _waiting[project_id] = (look_at, labels_left - 1)
        return None
    project = db.session.get(Project, project_id, populate_existing=True)
    missing = _missing(project)
    if project is None or missing > 0:
        _waiting[project_id] = (time.monotonic() + LOOK_AGAIN_S, missing)
        return None
    _waiting.pop(project_id, None)
    _, changed = count_changes(project)
    try:
        with write() as session:
            return service.start(session, project, person=None, reason=f"After {changed} new or changed labels.")
    except (Busy, Invalid):
        return None  # another label of the same moment started it, or took away what made it possible


def _missing(project: Project | None) -> int:
    """At least so many labels must still change before an iteration can start by itself; 0 when it is due and possible."""
    never = 1_000_000
    if project is None or project.deleted_at is not None:
        return never
    train_after = project_settings.read(project).train_after
    if train_after == 0:
        return never
    _, changed = count_changes(project, at_most=train_after)
    if changed < train_after:
        return train_after - changed
    is_hindered = service.running_iteration(project.id) is not None or find_problem(project)
    return never if is_hindered else 0
