"""How many decisions changed since an iteration: the one count behind the annotate page, the iterations page and the automatic start."""

from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.orm import Session

from webapp.models import SUPERSEDED, Label

UNLIMITED = 2**31 - 1

# It runs after every label, and building it would cost more than running it: it is made once, of tables, not classes.
_label, _first = Label.__table__.c, Label.__table__.alias().c
_newest: Any = bindparam("newest")
_began_before = (
    select(_first.id)
    .where(
        _first.question_id == _label.question_id,
        _first.person_id == _label.person_id,
        _first.round == _label.round,
        _first.id <= _newest,
    )
    .exists()
)
# Counted no further than needed.
_CHANGED = select(func.count()).select_from(
    select(_label.id)
    .where(
        _label.project_id == bindparam("project"),
        _label.id > _newest,
        ~SUPERSEDED,
        _label.verdict.not_in(("skip", "undo")) | _began_before,
    )
    .limit(bindparam("most"))
    .subquery()
)


def changed_labels(reader: Session | Connection, project_id: int, newest: int, *, at_most: int | None = None) -> int:
    """Decisions that are new, edited or undone since label ``newest``; skips and what came and went in between do not count."""
    if at_most == 0:
        return 0
    values = {"project": project_id, "newest": newest, "most": at_most or UNLIMITED}
    return int(reader.scalar(_CHANGED, values) or 0)
