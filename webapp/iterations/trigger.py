"""The "after N changed labels" rule, asked after each submitted label and therefore nearly free when it cannot be due yet."""

import time

from sqlalchemy import select

from webapp.db import write
from webapp.errors import Busy, DiskFailed, Invalid
from webapp.iterations import service
from webapp.iterations.readiness import changed_since_last, find_problem
from webapp.models import Iteration, Label, Project, db
from webapp.projects import settings as project_settings

LOOK_AGAIN_S = 10.0

# Project -> (look again at this monotonic time, or when this label is there), so that labels are not counted at every submission.
# Label numbers only grow, whichever web process stores them, so it cannot be due before that one.
_waiting: dict[int, tuple[float, int]] = {}
_label = Label.__table__.c
_NEWEST = select(_label.id).order_by(_label.id.desc()).limit(1)


def maybe_start(project_id: int) -> Iteration | None:
    """Start an iteration when enough labels changed; None when it is not due, not possible yet, or one is on its way."""
    look_at, due_at = _waiting.get(project_id, (0.0, 0))
    newest = db.session().connection().scalar(_NEWEST) or 0
    if newest < due_at and time.monotonic() < look_at:
        return None
    project = db.session.get(Project, project_id, populate_existing=True)
    missing = _missing(project)
    if project is None or missing > 0:
        _waiting[project_id] = (time.monotonic() + LOOK_AGAIN_S, newest + missing)
        return None
    _waiting.pop(project_id, None)
    changed = changed_since_last(project.id)
    try:
        with write() as session:
            return service.start(session, project, person=None, reason=f"After {changed} new or changed labels.")
    except (Busy, DiskFailed, Invalid):
        # Another label of the same moment started it or took away what made it possible, or the disk is full: the label is stored.
        return None


def _missing(project: Project | None) -> int:
    """At least so many labels must still change before an iteration can start by itself; 0 when it is due and possible."""
    never = 1_000_000
    if project is None or project.deleted_at is not None:
        return never
    train_after = project_settings.read(project).train_after
    if train_after == 0:
        return never
    changed = changed_since_last(project.id, at_most=train_after)
    if changed < train_after:
        return train_after - changed
    is_hindered = service.running_iteration(project.id) is not None or find_problem(project)
    return never if is_hindered else 0
