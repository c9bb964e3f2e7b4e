"""The iterations page, one iteration live and afterwards, its curves, and the buttons: start, cancel, promote, hold."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from training.tasks import get_task
from webapp import home
from webapp.addresses import chosen
from webapp.db import write
from webapp.errors import Busy, Invalid
from webapp.htmx import redirect_to, render
from webapp.iterations import charts, pages, progress, publish, service, trigger
from webapp.iterations.advice import advise
from webapp.iterations.blame import BLAMES
from webapp.iterations.readiness import Readiness, assess
from webapp.jobs import service as job_service
from webapp.models import Iteration, Project
from webapp.people.service import current_person, require, viewer_id
from webapp.projects.service import project_or_404
from webapp.releases.by_hand import clean_reason

bp = Blueprint("iterations", __name__)


@bp.after_app_request
def start_when_due(response: Response) -> Response:
    """Labels know nothing of iterations: whatever changed one by a form may have been the change that starts the next."""
    is_change = request.method == "POST" and request.blueprint == "label" and request.endpoint != "label.take_next"
    if is_change and response.status_code < HTTPStatus.BAD_REQUEST:
        trigger.maybe_start((request.view_args or {}).get("project_id", 0))
    return response


@bp.app_template_global()
def readiness_of(project: Project) -> Readiness:
    """For the project's home page, which knows nothing of iterations: whether one can start, and what is missing."""
    return assess(project)


DIRECTIONS = ("better", "worse", "same")
SIDES = ("before", "after")


@bp.get("/p/<int:project_id>/iterations")
@require()
def index(project_id: int) -> ResponseReturnValue:
    return _index_page(project_or_404(project_id))


def _index_page(project: Project, problem: str = "") -> Response:
    lines = pages.list_lines(project)
    return render(
        "iterations/index.html", "iterations", project=project, readiness=assess(project), problem=problem, lines=lines,
        running=service.running_iteration(project.id), has_evaluations=any(line.decision for line in lines),
        advice=advise(project),
    )  # fmt: skip


@bp.post("/p/<int:project_id>/iterations")
@require("engineer")
def start(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    try:
        with write() as session:
            number = service.start(
                session,
                project,
                person=current_person(),
                reason="Started by hand.",
                is_practice="practice" in request.form,
            ).number
    except Invalid as error:
        return _index_page(project, str(error)), 400
    except Busy:
        running = service.running_iteration(project.id)
        if running is None:
            raise
        number = running.number
    return redirect_to(url_for("iterations.show", project_id=project.id, number=number))


@bp.get("/p/<int:project_id>/iterations/<int:number>")
@require()
def show(project_id: int, number: int) -> ResponseReturnValue:
    return _page(project_or_404(project_id), service.iteration_or_404(project_id, number))


def _page(project: Project, iteration: Iteration, errors: dict[str, str] | None = None) -> Response:
    asked = _asked()
    return render(
        "iterations/show.html", "iteration", project=project, iteration=iteration, chosen=asked, directions=DIRECTIONS,
        blame_names=BLAMES, errors=errors or {}, view=pages.describe(project, iteration, asked, viewer_id=viewer_id()),
    )  # fmt: skip


def _asked() -> pages.Chosen:
    return pages.Chosen(
        chosen("show", DIRECTIONS), chosen("blame", BLAMES), chosen("side", SIDES) or "after",
        request.args.get("page", 1, type=int) or 1,
    )  # fmt: skip


@bp.get("/p/<int:project_id>/iterations/blame")
@require()
def blame_of_all(project_id: int) -> ResponseReturnValue:
    return jsonify(charts.blame_of_all(project_or_404(project_id).id))


@bp.get("/p/<int:project_id>/iterations/<int:number>/blame")
@require()
def blame(project_id: int, number: int) -> ResponseReturnValue:
    return jsonify(charts.blame_of_one(service.iteration_or_404(project_id, number)))


@bp.get("/p/<int:project_id>/iterations/<int:number>/curves/<key>")
@require()
def curves(project_id: int, number: int, key: str) -> ResponseReturnValue:
    iteration = service.iteration_or_404(project_id, number)
    task = get_task(iteration.config["task"])
    if key not in progress.titles(task):
        abort(404)
    return jsonify(progress.chart(home.absolute(iteration.path), key, task, live=job_service.is_active(iteration.job)))


@bp.post("/p/<int:project_id>/iterations/<int:number>/cancel")
@require("engineer")
def cancel(project_id: int, number: int) -> ResponseReturnValue:
    iteration = service.iteration_or_404(project_id, number)
    with write() as session:
        job_service.cancel(session, iteration.job, person=current_person())
    return redirect_to(url_for("iterations.show", project_id=project_id, number=number))


@bp.post("/p/<int:project_id>/iterations/<int:number>/promote")
@require("engineer")
def promote(project_id: int, number: int) -> ResponseReturnValue:
    return _decide(project_id, number, publish.promote_by_hand)


@bp.post("/p/<int:project_id>/iterations/<int:number>/hold")
@require("engineer")
def hold(project_id: int, number: int) -> ResponseReturnValue:
    return _decide(project_id, number, publish.hold)


def _decide(project_id: int, number: int, decide: Any) -> ResponseReturnValue:
    """A person overrides the gate; the reason is asked for and kept."""
    project, iteration = project_or_404(project_id), service.iteration_or_404(project_id, number)
    try:
        reason = clean_reason(request.form.get("reason", ""))
    except Invalid as error:
        return _page(project, iteration, error.fields), 400
    expected = request.form.get("champion", type=int)
    decide(project, iteration, person=current_person(), reason=reason, expected=expected)
    return redirect_to(url_for("iterations.show", project_id=project_id, number=number))
