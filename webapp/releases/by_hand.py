"""Promotion and rollback by a person, and what both cause: the queue is answered again by the release now in service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from retriever.types import TUNED
from training.tasks import get_task
from webapp.db import write
from webapp.errors import Invalid
from webapp.jobs.service import enqueue
from webapp.models import CorpusIndex, Iteration, Job, Project, Release, db
from webapp.releases import service
from webapp.releases.history import Promotion
from webapp.releases.mending import refuse_damaged
from webapp.releases.reindexing import request_index
from webapp.releases.serving import is_other_encoder

Figure = tuple[str, float | None]  # a metric's name and value


@dataclass(frozen=True)
class Line:
    """One release as the page shows it. ``promotion`` is its latest one."""

    release: Release
    iteration: int | None
    primary: Figure | None  # the metric that decides; None where no iteration measured it
    metrics: tuple[Figure, ...]
    promotion: Promotion | None


@dataclass(frozen=True)
class Change:
    """``release`` is in service now, ``previous`` was before."""

    release: Release
    previous: Release | None


def request_answers(session: Session, project: Project) -> None:
    """Answer the queue ahead of time; a job that has not begun yet will see the new release or questions as well."""
    # One with a lock answers again what a label was about, and no new question.
    waiting = (Job.project_id == project.id, Job.kind == "predict", Job.state == "queued", Job.lock.is_(None))
    if session.scalar(select(Job.id).where(*waiting).limit(1)) is None:
        enqueue(session, "predict", project_id=project.id, payload={}, priority=20)


def clean_reason(text: str) -> str:
    """Why a person overrides the gate. Raises :class:`Invalid` without a word of it."""
    reason = " ".join(text.split())[:2000]
    if not reason:
        sentence = "Say why in a few words; the reason is kept with the decision."
        raise Invalid(sentence, {"reason": sentence})
    return reason


def promote(
    session: Session,
    project: Project,
    release: Release,
    *,
    person: Any,
    reason: str,
    by: str = service.COMMAND,
    is_rollback: bool = False,
) -> Release | None:
    """Put this very release in service; returns the previous one. Who is not signed in typed a command, unless ``by`` says who it was."""
    previous = service.promote(session, project, release, person=person, reason=reason, by=by, is_rollback=is_rollback)
    request_answers(session, project)
    return previous


def promote_today(
    project: Project, release: Release, *, person: Any, reason: str, expected: int | None = None
) -> Change:
    """Put ``release`` in service with the index of today: one made before the last import would not know what came since.

    Every byte is checked before anything is locked. ``expected`` is the champion's number the person saw. Raises :class:`Damaged`
    naming the command that mends it, :class:`Stale` when another champion came between.
    """
    _expect_by_now(project, expected)
    index = _newest_index(project, release) if release.index_id is not None else None
    refuse_damaged(release, index)
    with write() as session:
        service.expect_champion(session, project, expected)
        chosen = release if index is None else _with_index(session, project, release, index)
        previous = promote(session, project, chosen, person=person, reason=reason)
        if previous is not None and is_other_encoder(previous.embedder, chosen.embedder):
            request_index(session, project)  # documents of today may be missing from the index of this encoder
        return Change(chosen, previous)


def promote_as_it_was(
    project: Project, release: Release, *, person: Any, reason: str, expected: int | None = None
) -> Change:
    """Put ``release`` back in service as it once was, its index included; checked like :func:`promote_today`."""
    _expect_by_now(project, expected)
    refuse_damaged(release, release.index)
    with write() as session:
        service.expect_champion(session, project, expected)
        back = release.promoted_at is not None
        return Change(release, promote(session, project, release, person=person, reason=reason, is_rollback=back))


def roll_back(project: Project, *, person: Any, reason: str, expected: int | None = None) -> Change:
    """Put back what was in service before, as it was; twice brings back where one was."""
    _expect_by_now(project, expected)
    before = service.release_before(db.session(), project)
    return promote_as_it_was(project, before, person=person, reason=reason, expected=expected)


def _expect_by_now(project: Project, expected: int | None) -> None:
    """Who comes second is told before long work begins; the transaction that decides looks once more."""
    service.expect_champion(db.session(), project, expected)
    db.session.rollback()  # nothing stays locked meanwhile


def _newest_index(project: Project, release: Release) -> CorpusIndex | None:
    """Of the release's own encoder when an iteration fine-tuned it, else of the project's embedder as it is today."""
    is_own = CorpusIndex.embedder.startswith(TUNED, autoescape=True)
    own = CorpusIndex.embedder == release.embedder if release.embedder.startswith(TUNED) else ~is_own
    query = select(CorpusIndex).where(CorpusIndex.project_id == project.id, own)
    return db.session.scalar(query.order_by(CorpusIndex.id.desc()).limit(1))


def _with_index(session: Session, project: Project, release: Release, index: CorpusIndex) -> Release:
    """The release itself when it has that index, else the one of the same model that has it, else a new one."""
    if release.index_id == index.id:
        return release
    same = select(Release).where(
        Release.project_id == project.id,
        Release.answerer_sha256 == release.answerer_sha256,
        Release.index_id == index.id,
        Release.retriever_sha256.is_not_distinct_from(release.retriever_sha256),
    )
    found = session.scalar(same.order_by(Release.id.desc()).limit(1))
    if found is not None:
        return found
    return service.create_release(
        session, project, answerer_path=release.answerer_path, answerer_sha256=release.answerer_sha256, index=index,
        iteration=session.get(Iteration, release.iteration_id) if release.iteration_id else None, parent=release,
        retriever=service.retriever_of(release, index), reason=f"Release {release.number} with the index of today",
        metrics=release.metrics,
    )  # fmt: skip


def metric_meanings(project: Project) -> list[tuple[str, str]]:
    """The name of each figure that :func:`describe` gives, and what it tells."""
    task = get_task(project.task)
    return [(name, task.MEANINGS[key]) for key, name in task.METRICS.items()]


def describe(project: Project, promotions: Sequence[Promotion]) -> list[Line]:
    """The newest release first. ``promotions`` are the project's, newest first."""
    releases = db.session.scalars(
        select(Release)
        .options(joinedload(Release.index))
        .where(Release.project_id == project.id)
        .order_by(Release.number.desc())
    )
    numbers = {
        row[0]: row[1]
        for row in db.session.execute(select(Iteration.id, Iteration.number).where(Iteration.project_id == project.id))
    }
    newest = {one.release: one for one in reversed(promotions)}
    return [
        Line(
            release, numbers.get(release.iteration_id) if release.iteration_id else None,
            *_figures(project, release.metrics or {}), newest.get(release.number),
        )
        for release in releases
    ]  # fmt: skip


def _figures(project: Project, metrics: dict[str, Any]) -> tuple[Figure | None, tuple[Figure, ...]]:
    """The metric that decides, and all of them."""
    task = get_task(project.task)
    found = {key: (name, metrics[key]) for key, name in task.METRICS.items() if key in metrics}
    return found.get(task.PRIMARY_METRIC), tuple(found.values())
