"""What the iteration pages show, computed here so that the templates only print."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from training.tasks import get_task
from webapp import home
from webapp.iterations import progress, service
from webapp.iterations.afterwards import Event, by_hand, events_of
from webapp.iterations.blame import BLAMES
from webapp.iterations.compare import RETRIEVAL, RETRIEVAL_MEANINGS
from webapp.iterations.conclusion import conclude
from webapp.iterations.labels_used import LabelsUsed, labels_used
from webapp.jobs.service import is_active
from webapp.label.blind import hidden_from
from webapp.models import EvaluationRow, Iteration, Job, Project, Release, db
from webapp.releases.service import iterations_in_service

PAGE_SIZE = 25


@dataclass(frozen=True)
class Line:
    """One row of the list of iterations."""

    iteration: Iteration
    state: str
    before: float | None
    after: float | None
    decision: str
    candidate: Release | None
    is_in_service: bool
    by_hand: tuple[Event, ...]  # what people decided last of the candidate
    labels: LabelsUsed


@dataclass(frozen=True)
class Metric:
    name: str
    meaning: str
    before: float | None
    after: float | None
    is_primary: bool

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True)
class Chosen:
    """Which test questions the list shows. ``direction``: better, worse, same or ""; ``blame``: one of the blames or ""; ``side``: whose."""

    direction: str = ""
    blame: str = ""
    side: str = "after"
    page: int = 1

    def has(self, row: EvaluationRow, change: str) -> bool:
        blamed = row.before_blame if self.side == "before" else row.after_blame
        return self.direction in ("", change) and self.blame in ("", blamed)


@dataclass(frozen=True)
class View:
    is_active: bool
    took: str  # how long it ran, or how long its last attempt did, where there were more; "" before it started
    candidate: Release | None
    champion: Release | None  # compared with
    is_in_service: bool
    conclusion: str  # whether it is better, in one sentence; "" before the gate has spoken
    metrics: tuple[Metric, ...]
    primary: str
    tallies: dict[str, int]
    rows: tuple[tuple[EvaluationRow, str], ...]
    hidden: frozenset[int]  # questions whoever looks has still to decide blind: no answer of theirs is shown
    held_back: int  # of these, how many a list of one blame leaves out, because the blame would tell of the answer
    page: int
    pages: int
    curves: tuple[tuple[str, str, str], ...]  # key, title, meaning
    events: tuple[Event, ...]  # what became of the candidate, oldest first
    blames: tuple[tuple[str, str, int, int], ...]  # key, name, before, after
    labels: LabelsUsed
    training_rows: int  # learned from in training: those of the dataset, and those made beside them
    in_service: int  # the number of the release in service, 0 without one
    imported: int  # test questions that came with their right answers

    @property
    def meanings(self) -> list[tuple[str, str]]:
        return [(metric.name, metric.meaning) for metric in self.metrics]

    @property
    def curve_meanings(self) -> list[tuple[str, str]]:
        return [(title, meaning) for _, title, meaning in self.curves]


def list_lines(project: Project) -> list[Line]:
    metric = get_task(project.task).PRIMARY_METRIC
    iterations = service.list_iterations(project.id)
    serving, events = iterations_in_service(db.session(), project.id), events_of(project)
    candidates = {
        release.iteration_id: release
        for release in db.session.scalars(
            select(Release)
            .where(Release.project_id == project.id, Release.iteration_id.is_not(None))
            .order_by(Release.id.desc())
        )
    }
    return [
        Line(
            iteration, iteration.job.state, (iteration.before or {}).get(metric), (iteration.after or {}).get(metric),
            (iteration.gate or {}).get("decision", ""), candidates.get(iteration.id), iteration.id in serving,
            tuple(by_hand(events.get(iteration.number, []))), labels_used(iteration),
        )
        for iteration in iterations
    ]  # fmt: skip


def describe(project: Project, iteration: Iteration, chosen: Chosen, *, viewer_id: int) -> View:
    task = get_task(project.task)
    candidate = service.candidate_of(iteration)
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    judged = service.evaluation_rows(iteration, task.PRIMARY_METRIC) if iteration.gate else []
    hidden = frozenset(hidden_from(db.session(), project, viewer_id, [row.question for row, _ in judged]))
    matching = [row for row in judged if chosen.has(*row)]
    rows = [row for row in matching if not (chosen.blame and row[0].question_id in hidden)]
    pages = max(1, -(-len(rows) // PAGE_SIZE))
    page = min(max(chosen.page, 1), pages)
    active = is_active(iteration.job)
    folder = home.absolute(iteration.path)
    primary = task.METRICS.get(task.PRIMARY_METRIC, task.PRIMARY_METRIC)
    drawn = {curve["key"] for curve in progress.curves(folder, task)}
    return View(
        is_active=active, took=_took(iteration.job), candidate=candidate,
        champion=db.session.get(Release, iteration.champion_id) if iteration.champion_id else None,
        is_in_service=bool(candidate and champion and candidate.answerer_sha256 == champion.answerer_sha256),
        conclusion=conclude(iteration.gate, primary) if iteration.gate else "", metrics=_metrics(iteration, task), primary=primary,
        tallies={name: sum(row[1] == name for row in judged) for name in ("better", "worse", "same")},
        rows=tuple(rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]), hidden=hidden, held_back=len(matching) - len(rows),
        page=page, pages=pages,
        curves=tuple((key, title, progress.meanings(task)[key]) for key, title in progress.titles(task).items() if active or key in drawn),
        events=tuple(events_of(project).get(iteration.number, ())), blames=_count_blames([row for row, _ in judged]),
        labels=labels_used(iteration), training_rows=_training_rows(iteration),
        in_service=champion.number if champion else 0,
        imported=sum(row.question.source == "gold" for row, _ in judged),
    )  # fmt: skip


def _training_rows(iteration: Iteration) -> int:
    """What the run wrote down; while it runs, the rows of its dataset."""
    rows = iteration.config.get("learned", {}).get("rows", {})
    return sum(rows.values()) or (iteration.dataset.counts.get("train", 0) if iteration.dataset else 0)


def _count_blames(rows: Sequence[EvaluationRow]) -> tuple[tuple[str, str, int, int], ...]:
    return tuple(
        (key, name, sum(row.before_blame == key for row in rows), sum(row.after_blame == key for row in rows))
        for key, name in BLAMES.items()
    )


def _took(job: Job) -> str:
    if job.started_at is None:
        return ""
    ended = job.finished_at or dt.datetime.now(dt.UTC)
    minutes = f"{(ended - job.started_at).total_seconds() / 60:.1f} minutes"
    return f"last attempt: {minutes}" if job.attempt > 1 else minutes


def _metrics(iteration: Iteration, task: Any) -> tuple[Metric, ...]:
    before, after = iteration.before or {}, iteration.after or {}
    meanings = {**task.MEANINGS, **RETRIEVAL_MEANINGS}
    return tuple(
        Metric(name, meanings[key], before.get(key), after.get(key), key == task.PRIMARY_METRIC)
        for key, name in {**task.METRICS, **RETRIEVAL}.items()
        if key in before or key in after
    )
