"""Projects: one task, one corpus, one queue, one line of releases each."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from training.safety import HUB_ID, OFFLINE, check_model_folder
from training.tasks import DEFAULT_TASK, TASKS
from training.types import TrainingError
from webapp.audit import record
from webapp.cancelling import cancel_jobs
from webapp.errors import Invalid, NotFound
from webapp.models import (
    ACTIVE_JOB_STATES,
    SUPERSEDED,
    CorpusIndex,
    Document,
    Iteration,
    Job,
    Label,
    Project,
    Question,
    Release,
    db,
    now,
)

# Built once: nearly every request runs it.
_PROJECT = select(Project).where(Project.id == bindparam("project"), Project.deleted_at.is_(None))


def list_projects() -> list[Project]:
    return list(db.session.scalars(select(Project).where(Project.deleted_at.is_(None)).order_by(Project.name)))


def get_project(project_id: int) -> Project | None:
    return db.session.scalar(_PROJECT, {"project": project_id})


def project_or_404(project_id: int) -> Project:
    project = get_project(project_id)
    if project is None:
        raise NotFound("There is no such project, or it was deleted; the start page lists the projects.")
    return project


def project_by_name(name: str) -> Project:
    project = db.session.scalar(select(Project).where(Project.name == name, Project.deleted_at.is_(None)))
    if project is None:
        known = ", ".join(project.name for project in list_projects()) or "none yet: `errata project create` makes one"
        raise NotFound(f"There is no project named {name!r}; there are: {known}.")
    return project


def _clean_name(session: Session, name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise Invalid(
            "A project's name has 1 to 80 printable characters.", {"name": "Give a name of 1 to 80 characters."}
        )
    if session.scalar(select(Project.id).where(Project.name == name)):
        raise Invalid(
            f"There is a project named {name!r} already; choose another name.", {"name": "This name is taken."}
        )
    return name


def _clean_task(task: str) -> str:
    if task not in TASKS:
        raise Invalid(
            f"The task {task!r} is not known; it is one of {', '.join(sorted(TASKS))}.", {"task": "Choose a task."}
        )
    return task


def _clean_model(model: str, *, field: str, known: tuple[str, ...]) -> str:
    """A shipped name, a folder safe to load (stored whole), or a hub id, which is looked for when it is needed."""
    model = model.strip()
    if model in known:
        return model
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        return _checked_folder(folder.resolve(), field=field)
    if not model or model.startswith((".", "/", "~")) or not HUB_ID.fullmatch(model):
        names = ", ".join(known)
        raise Invalid(
            f"{model!r} is no model: expected {names}, an existing folder of safetensors, or a hub id such as distilgpt2.",
            {field: f"Expected {names}, an existing folder, or a hub id."},
        )
    _refuse_slip(model, field=field, known=known)
    return model


def _refuse_slip(model: str, *, field: str, known: tuple[str, ...]) -> None:
    """A shipped name with a slip in it has the shape of a hub id, and would be missed only when the model is needed."""
    meant = get_close_matches(model.lower(), known, n=1, cutoff=0.75)
    if meant and "/" not in model:
        raise Invalid(
            f"There is no model {model!r}; did you mean {meant[0]}?",
            {field: f"There is no such model; did you mean {meant[0]}?"},
        )


def _checked_folder(folder: Path, *, field: str) -> str:
    if field == "base":
        try:
            check_model_folder(folder)
        except TrainingError as error:
            raise Invalid(str(error), {field: str(error)}) from error
    return str(folder)


def create_project(
    session: Session,
    name: str,
    *,
    task: str = DEFAULT_TASK,
    base: str = "starter",
    embedder: str = "minilm",
    person: Any = None,
) -> Project:
    """``person`` is anything with an ``id``, or None for the command line."""
    project = Project(
        name=_clean_name(session, name),
        task=_clean_task(task),
        base=_clean_model(base, field="base", known=OFFLINE),
        embedder=_clean_model(embedder, field="embedder", known=("minilm", "hash")),
        settings={},
    )
    session.add(project)
    session.flush()
    record(session, "project.create", project_id=project.id, person_id=person.id if person else None, name=project.name)
    return project


def delete_project(session: Session, project: Project, *, person: Any = None) -> None:
    """Hide the project, free its name and cancel its jobs. Labels and files stay until a person removes the home folder."""
    freed = f"{project.name[:50]} (deleted {project.id})"
    session.execute(update(Project).where(Project.id == project.id).values(deleted_at=now(), name=freed))
    cancel_jobs(session, Job.project_id == project.id)
    record(session, "project.delete", project_id=project.id, person_id=person.id if person else None, name=project.name)


@dataclass(frozen=True)
class Overview:
    """The figures of a project's home page, and what to do next."""

    documents: int
    passages: int
    questions: int
    open_questions: int
    unanswered: int  # of them, those that no model has answered yet
    labels: int
    skips: int
    iterations: int
    champion: Release | None
    has_only_practised: bool  # the champion comes from practice on the corpus, without labels
    index: CorpusIndex | None
    active_jobs: list[Job]  # one of each kind
    next_step: str  # add_documents, build_index, add_questions, label, train or done


def overview(project: Project) -> Overview:
    def count(table: Any, *conditions: Any) -> int:
        query = select(func.count()).select_from(table).where(table.project_id == project.id, *conditions)
        return int(db.session.scalar(query) or 0)

    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    made_by = db.session.get(Iteration, champion.iteration_id) if champion and champion.iteration_id else None
    figures = Overview(
        documents=count(Document, Document.deleted_at.is_(None)),
        passages=champion.index.passages if champion and champion.index else 0,
        questions=count(Question),
        open_questions=count(Question, Question.state == "open"),
        unanswered=count(Question, Question.state == "open", Question.answer_id.is_(None)),
        labels=count(Label, Label.verdict.not_in(("skip", "undo")), ~SUPERSEDED),
        skips=count(Label, Label.verdict == "skip", ~SUPERSEDED),
        iterations=count(Iteration),
        champion=champion,
        has_only_practised=made_by is not None and made_by.is_practice,
        index=champion.index if champion else None,
        active_jobs=_active_jobs(project),
        next_step="",
    )
    return Overview(**{**figures.__dict__, "next_step": _next_step(figures)})


def _active_jobs(project: Project) -> list[Job]:
    """One of each kind, what runs before what waits: new questions wait behind the answers made now, and one card tells of both."""
    active = select(Job).where(Job.project_id == project.id, Job.state.in_(ACTIVE_JOB_STATES)).order_by(Job.id)
    shown: dict[str, Job] = {}
    for job in sorted(
        db.session.scalars(active), key=lambda job: (job.state == "queued", bool(job.payload.get("refresh")))
    ):
        shown.setdefault(job.kind, job)
    return sorted(shown.values(), key=lambda job: job.id)


def _next_step(figures: Overview) -> str:
    steps = (
        ("add_documents", figures.documents == 0 and figures.champion is None),
        ("build_index", figures.champion is None),
        ("add_questions", figures.questions == 0),
        ("label", figures.labels == 0),
        ("train", figures.iterations == 0),
    )
    return next((name for name, is_next in steps if is_next), "done")
