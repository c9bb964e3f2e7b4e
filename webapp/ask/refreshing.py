"""Stored answers made anew soon after a label taught the memory something about a question like theirs.

The web process only asks for it (``request``): one light ``predict`` job, unless one is there already. The worker's job (``refresh``)
compares the questions at the front of the queue with what was labelled since each was answered, and answers the near ones again.
It stays for a while after the last label, so that a model is loaded once and not for every label, but only as long as no other
work waits for the worker.
"""

import datetime as dt
import time
from typing import Any

from sqlalchemy import bindparam, func, literal, or_, select, update
from sqlalchemy.orm import Session

from training.tasks import get_task
from webapp.ask.ahead import answer_batch, champion_of_now
from webapp.db import write
from webapp.errors import Busy, DiskFailed
from webapp.jobs.context import JobContext
from webapp.jobs.service import enqueue
from webapp.models import ACTIVE_JOB_STATES, Answer, Job, Label, Project, Question, db, now
from webapp.releases.serving import LoadedRelease, describe, load_release

FRONT = 1_000  # questions served next; embedding each takes about 3 ms, once a job
LABELS_AT_MOST = 1_000
BATCH = 16
STAYS_S = 15.0
LOOK_EVERY_S = 0.5

STORING_S = 5.0
"""A label bears the time at which it was written and is seen by others when its transaction ends, milliseconds later: an answer sought in
between is newer than the label and yet knew nothing of it. So labels that are older than an answer by less than this count as newer;
at worst a question is answered a few times more."""

# Asked after every decision that teaches: made once. The states are written out, as in the index on locks, which SQLite uses only then.
_job = Job.__table__.c
_ACTIVE = select(_job.id).where(
    _job.lock == bindparam("lock"),
    _job.state.in_([literal(state, literal_execute=True) for state in ACTIVE_JOB_STATES]),
)


def request(project_id: int) -> None:
    """Asked after a label is stored: one look into an index while a job is at work, and a row more when none is.

    No label is missed: it was stored before this looks. Where this finds the lock held, ``_let_go``, which gives it back in a write
    transaction, comes after the label's transaction and sees the label; where it finds the lock free, it asks for a job.
    """
    lock = f"refresh:{project_id}"
    if db.session().connection().scalar(_ACTIVE, {"lock": lock}) is not None:
        return
    project = db.session.get(Project, project_id)
    if project is None or project.champion_id is None or not get_task(project.task).USES_PASSAGES:
        return
    try:
        with write() as session:
            enqueue(session, "predict", project_id=project_id, payload={"refresh": True}, lock=lock, priority=30)
    except (Busy, DiskFailed):
        return  # another label of the same moment asked, or will; or the disk is full: the label itself is stored


def refresh(context: JobContext) -> dict[str, Any]:
    """Until no label came for a while, or other work waits."""
    work = _Refresher(context)
    quiet_since = time.monotonic()
    while True:
        if work.look():
            quiet_since = time.monotonic()
        is_over = time.monotonic() - quiet_since >= STAYS_S or context.is_awaited()
        if is_over and _let_go(context, work.seen):
            return {"answered": work.answered, "release": work.release.files.number if work.release else None}
        if not is_over:
            time.sleep(LOOK_EVERY_S)


class _Refresher:
    """The release in service, and the embeddings of the questions seen so far."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self.release: LoadedRelease | None = None
        self.seen = -1  # the newest label that was looked at
        self.answered = 0
        self._vectors: dict[str, Any] = {}

    def look(self) -> bool:
        """Answer again what newer labels are near to; False when there is no newer label."""
        project, champion = champion_of_now(self._context)
        if self.release is None or self.release.files.release_id != champion.id:
            self._context.report(0.01, f"Loading release {champion.number}")
            self.release, self.seen, self._vectors = load_release(describe(champion)), -1, {}
        newest = _newest(db.session(), project.id)
        if newest == self.seen:
            return False
        self.seen = newest
        near = self._near(_front(project.id, champion.id), _taught(project.id), self.release)
        for first in range(0, len(near), BATCH):
            self._context.report(0.01, f"Answering {len(near)} questions again that are like those labelled just now")
            self.answered += answer_batch(self._context, project, self.release, near[first : first + BATCH])
        return True

    def _near(self, front: list[Any], taught: list[Any], release: LoadedRelease) -> list[Any]:
        """The questions near to one that was labelled after their answer was sought."""
        import numpy as np

        from retriever.memory import THRESHOLD

        db.session.rollback()  # no model runs while a read transaction is open
        storing = dt.timedelta(seconds=STORING_S)
        oldest = min((row.created_at for row in front), default=None)
        taught = [row for row in taught if oldest is not None and row.created_at + storing > oldest]
        if not taught or release.embedder is None:
            return []
        new = list({row.text: None for row in (*front, *taught) if row.text not in self._vectors})
        self._vectors |= dict(zip(new, release.embedder.encode(new), strict=True)) if new else {}
        known = np.stack([self._vectors[row.text] for row in taught])
        at = np.array([(row.created_at + storing).timestamp() for row in taught])
        return [
            row
            for row in front
            if ((known @ self._vectors[row.text] >= THRESHOLD) & (at > row.created_at.timestamp())).any()
        ]


def _front(project_id: int, champion_id: int) -> list[Any]:
    """Open questions with an answer of the champion that nobody looks at, in the order they are served."""
    is_free = Question.lease_expires_at.is_(None) | (Question.lease_expires_at <= now())
    query = (
        select(Question.id, Question.text, Answer.created_at)
        .join(Answer, Answer.id == Question.answer_id)
        .where(Question.project_id == project_id, Question.state == "open", Answer.release_id == champion_id, is_free)
        .order_by(Question.priority, Question.id)
    )
    return list(db.session.execute(query.limit(FRONT)))


def _taught(project_id: int) -> list[Any]:
    """The newest decisions that say something of a passage, or change one that did."""
    query = (
        select(Question.text, Label.created_at)
        .join(Question, Question.id == Label.question_id)
        .where(
            Label.project_id == project_id,
            or_(
                (Label.verdict.in_(("accept", "correct"))) & (Label.text != ""),
                Label.reject_reason == "wrong_passage",
                Label.passage_id.is_not(None),
                Label.supersedes_id.is_not(None),
            ),
        )
        .order_by(Label.id.desc())
    )
    return list(db.session.execute(query.limit(LABELS_AT_MOST)))


def _newest(session: Session, project_id: int) -> int:
    return session.scalar(select(func.max(Label.id)).where(Label.project_id == project_id)) or 0


def _let_go(context: JobContext, seen: int) -> bool:
    """Give the lock back, unless a label came meanwhile: whoever labels after this asks for a job of their own."""
    db.session.rollback()
    with write() as session:
        context.guard(session)
        if _newest(session, context.project_id or 0) != seen:
            return False
        session.execute(update(Job).where(Job.id == context.job_id).values(lock=None))
        return True
