"""A job's progress, which asks again by itself while it runs, and its cancel button."""

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from webapp.db import write
from webapp.htmx import is_htmx, redirect_to, render
from webapp.jobs import service, waiting
from webapp.jobs.registry import name_of
from webapp.models import Job
from webapp.people.service import current_person, require

bp = Blueprint("jobs", __name__)
bp.add_app_template_global(waiting.waits_for)


@bp.app_template_global()
def title_of(job: Job) -> str:
    return name_of(job.kind).title


@bp.get("/jobs/<int:job_id>")
@require()
def show(job_id: int) -> ResponseReturnValue:
    return render("jobs/show.html", "job", job=service.job_or_404(job_id))


@bp.post("/jobs/<int:job_id>/cancel")
@require("engineer")
def cancel(job_id: int) -> ResponseReturnValue:
    job = service.job_or_404(job_id)
    with write() as rows:
        service.cancel(rows, job, person=current_person())
    if is_htmx():
        return render("jobs/show.html", "job", job=service.job_or_404(job_id))
    return redirect_to(url_for("jobs.show", job_id=job_id))
