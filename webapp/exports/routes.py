"""The export page: ask for a file, watch it being written, download it, and see which labels it does not hold and why."""

from typing import Any

from flask import Blueprint, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from training.artefact import DamagedArtefact, verify
from webapp import home
from webapp.audit import record
from webapp.db import write
from webapp.errors import Damaged, Invalid, NotFound
from webapp.htmx import redirect_to, render
from webapp.jobs.service import enqueue, is_active
from webapp.label.export import CHOICES, Filters, count_labels, formats
from webapp.models import Job, Label, Person, db
from webapp.people.service import current_person, require
from webapp.projects.service import project_or_404

bp = Blueprint("exports", __name__)

LISTED = 10


@bp.get("/p/<int:project_id>/export")
@require()
def index(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    jobs = db.session.scalars(
        select(Job).where(Job.project_id == project.id, Job.kind == "export").order_by(Job.id.desc()).limit(LISTED)
    ).all()
    people = db.session.execute(
        select(Person.id, Person.name).where(
            Person.id.in_(select(Label.person_id).where(Label.project_id == project.id))
        )
    )
    return render(
        "exports/index.html", "exports", project=project, formats=formats(project.task), choices=CHOICES, jobs=jobs,
        people=[tuple(row) for row in people], total=count_labels(project.id, Filters()), has_active=any(is_active(job) for job in jobs),
    )  # fmt: skip


@bp.post("/p/<int:project_id>/export")
@require()
def create(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    format_name = request.form.get("format", "")
    verdicts = [verdict for verdict in request.form.getlist("verdict") if verdict in CHOICES]
    if format_name not in formats(project.task):
        raise Invalid(
            f"{format_name!r} is not an export format here; choose one of {', '.join(formats(project.task))}."
        )
    if not verdicts:
        raise Invalid("No decision is chosen, so there is nothing to export; tick at least one.")
    payload: dict[str, Any] = {
        "format": format_name,
        "verdicts": verdicts,
        "person_id": request.form.get("person", type=int),
    }
    with write() as session:
        enqueue(session, "export", project_id=project.id, payload=payload, person=current_person(), priority=5)
        record(session, "label.export", project_id=project.id, **payload)
    return redirect_to(url_for("exports.index", project_id=project.id))


@bp.get("/p/<int:project_id>/export/<int:job_id>/<any(labels, dropped):which>")
@require()
def download(project_id: int, job_id: int, which: str) -> ResponseReturnValue:
    """The file as an attachment (which also sandboxes it), after its hash was checked."""
    project = project_or_404(project_id)
    job = db.session.scalar(select(Job).where(Job.id == job_id, Job.project_id == project.id, Job.kind == "export"))
    if job is None or job.result is None:
        raise NotFound("There is no such export; the export page lists the newest ones.")
    folder = home.absolute(job.result["path"])
    name = job.result["file"] if which == "labels" else f"{job.result['file']}.dropped.jsonl"
    if not (folder / name).is_file():
        raise NotFound("This file was removed to make room for newer exports; export again.")
    try:
        verify(folder, kind="export")
    except DamagedArtefact as error:
        raise Damaged(f"This export is damaged, export again. ({error})") from error
    return send_file(folder / name, as_attachment=True, download_name=f"project-{project.id}-{job.id}-{name}")
