"""The ``train`` job: freeze, fit, compare with the champion, decide, and put a better candidate into service.

Each step can be found done by a later attempt: the dataset row, the checkpoints, the answerer's folder, the release. So a killed
job goes on where it stopped and publishes once.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from training import artefact
from training.safety import resolve_base
from training.tasks import get_task
from training.types import Cancelled, FitConfig, TrainingError
from webapp import home
from webapp.datasets.files import read_evaluation, read_train
from webapp.datasets.freeze import freeze
from webapp.db import write
from webapp.iterations import lessons, progress, service
from webapp.iterations.compare import Comparison
from webapp.iterations.contest import candidate_files, contest, load_pair
from webapp.iterations.labels_used import to_write_down
from webapp.iterations.publish import publish
from webapp.iterations.readiness import newest_label
from webapp.iterations.retriever_training import teach_retriever
from webapp.jobs import service as job_service
from webapp.jobs.context import JobContext, LeaseLost
from webapp.models import Dataset, Iteration, Project, Release, db
from webapp.releases import serving
from webapp.releases.service import LearnedRetriever

Report = Callable[[float, str], None]


def run_train(context: JobContext) -> dict[str, Any]:
    began = time.monotonic()
    project, iteration = _load_rows(context)
    if service.candidate_of(iteration) is None:  # else an attempt was killed after it had published
        _run(context, project, iteration)
    shutil.rmtree(home.absolute(iteration.path) / "checkpoints", ignore_errors=True)
    db.session.expire_all()
    return {**_result(project.id, iteration.number), "seconds": time.monotonic() - began}


def _result(project_id: int, number: int) -> dict[str, Any]:
    iteration, project = service.iteration_or_404(project_id, number), db.session.get_one(Project, project_id)
    candidate = service.candidate_of(iteration)
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    counts = dict(iteration.dataset.counts) if iteration.dataset else {}
    if not lessons.lessons_of(iteration).rehearsal:
        counts["rehearsal"] = 0
    return {
        "iteration": number, "candidate": candidate.number if candidate else None, "champion": champion.number if champion else None,
        "examples": {kind: counts.get(kind, 0) for kind in ("accept", "correct", "negative", "rehearsal")},
        "learned": iteration.config.get("learned", {}),
        "before": iteration.before, "after": iteration.after, "gate": iteration.gate,
    }  # fmt: skip


def _run(context: JobContext, project: Project, iteration: Iteration) -> None:
    folder = home.absolute(iteration.path)
    folder.mkdir(parents=True, exist_ok=True)
    context.report(0.01, "Freezing the dataset, then loading the base model")
    dataset = _freeze_once(context, project, iteration)
    _write_config(folder, iteration, dataset)
    try:
        answerer_path = _train_once(context, project, iteration, dataset, part(context.report, 0.05, 0.75))
        retriever = teach_retriever(context, project, iteration, dataset, part(context.report, 0.75, 0.80))
        learned = answerer_path, retriever
        comparison = _compare(context, project, iteration, learned, dataset=dataset)
    except (Cancelled, LeaseLost):
        _tidy_if_cancelled(context, project, iteration)
        raise
    context.report(0.98, "Writing down the comparison")
    publish(context, project, iteration, answerer_path=answerer_path, comparison=comparison, retriever=retriever)


def _tidy_if_cancelled(context: JobContext, project: Project, iteration: Iteration) -> None:
    """Remove what a cancelled run leaves. A run whose lease was lost is going on elsewhere with these very files: they stay."""
    db.session.rollback()
    job = job_service.get_job(context.job_id)
    if job is not None and (job.cancel_requested or job.state == "cancelled"):
        for name in ("checkpoints", "encoder"):
            shutil.rmtree(home.absolute(iteration.path) / name, ignore_errors=True)
        for kind in ("answerer", "retriever", "index"):
            shutil.rmtree(_place(project, iteration, kind), ignore_errors=True)


def _place(project: Project, iteration: Iteration, kind: str) -> Path:
    return home.project_folder(project.id) / home.ARTEFACT_FOLDERS[kind] / str(iteration.config["answerer"])


def part(report: Report, low: float, high: float) -> Report:
    """``report`` for a stage that takes the job from ``low`` to ``high``."""
    return lambda fraction, message: report(low + (high - low) * fraction, message)


def _load_rows(context: JobContext) -> tuple[Project, Iteration]:
    project = db.session.get(Project, context.project_id)
    number = context.payload["iteration"]
    iteration = db.session.scalar(
        select(Iteration).where(Iteration.project_id == context.project_id, Iteration.number == number)
    )
    if project is None or iteration is None or project.deleted_at is not None:
        raise TrainingError(f"Iteration {number} cannot run: its project was deleted.")
    return project, iteration


def _freeze_once(context: JobContext, project: Project, iteration: Iteration) -> Dataset:
    """The dataset of the first attempt: a resumed run learns from what it began with, whatever was labelled meanwhile."""
    if iteration.dataset_id is not None:
        dataset = db.session.get(Dataset, iteration.dataset_id)
        if dataset is not None:
            return dataset
    newest = 0 if iteration.is_practice else newest_label(project.id)
    dataset = freeze(project, seed=iteration.seed, guard=context.guard)
    counted = to_write_down(iteration, dataset.id)
    with write() as session:
        context.guard(session)
        iteration = session.merge(iteration)
        iteration.dataset_id = dataset.id
        iteration.champion_id = project.champion_id
        iteration.config = {**iteration.config, **counted, "newest_label": newest}
    return dataset


def _write_config(folder: Path, iteration: Iteration, dataset: Dataset) -> None:
    config = {
        **iteration.config, "base": iteration.base, "seed": iteration.seed, "dataset": dataset.path,
        "fingerprint": dataset.fingerprint, "prompt_version": get_task(iteration.config["task"]).PROMPT_VERSION,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")


def _train_once(context: JobContext, project: Project, iteration: Iteration, dataset: Dataset, report: Report) -> Path:
    place = _place(project, iteration, "answerer")
    if place.exists():
        artefact.verify(place, kind="answerer")
        return place
    folder = home.absolute(iteration.path)
    dataset_folder = home.absolute(dataset.path)
    artefact.verify(dataset_folder, kind="dataset")
    task = get_task(project.task)
    report(0.0, "Loading the base model")
    base = resolve_base(iteration.base, home.model_cache())
    switches = lessons.lessons_of(iteration)
    answerer = serving.answerer_alone(project, base, seed=iteration.seed, learns=switches.similarity)
    validation = [row.gold for row in read_evaluation(dataset_folder, "validation")]
    answerer = task.fit(
        answerer, read_train(dataset_folder), validation, folder=folder / "checkpoints",
        config=FitConfig(**iteration.config["fit"]), report=report, log=progress.writer(folder), lessons=switches,
        material=lessons.gather(project, switches, dataset=dataset_folder, folder=folder),
    )  # fmt: skip
    with write() as session:
        context.guard(session)
        row = session.get_one(Iteration, iteration.id, populate_existing=True)
        row.config = {**row.config, "learned": lessons.summarise(folder)}
    about = {"iteration": iteration.number, "base": iteration.base, "config": asdict(answerer.settings)}
    with artefact.writing(place, kind="answerer", parents={"dataset": dataset.fingerprint}, about=about) as temporary:
        answerer.save(temporary)
    return place


def _compare(
    context: JobContext,
    project: Project,
    iteration: Iteration,
    learned: tuple[Path, LearnedRetriever | None],
    *,
    dataset: Dataset,
) -> Comparison:
    answerer_path, retriever = learned
    report = part(context.report, 0.80, 0.98)
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    candidate = candidate_files(champion, answerer_path, retriever) if champion is not None else None
    rows = read_evaluation(home.absolute(dataset.path), "test")
    report(0.0, "Loading the model in service and the candidate")
    pair = load_pair(project, champion, answerer_path, candidate)
    comparison = contest(
        project, pair, champion=champion, dataset=dataset, rows=rows, seed=iteration.seed, report=report
    )
    if iteration.is_practice:
        comparison = replace(comparison, gate=comparison.gate.after_practice(), effects=())
    with write() as session:
        context.guard(session)
        session.execute(
            update(Iteration).where(Iteration.id == iteration.id).values(champion_id=champion.id if champion else None)
        )
    return comparison
