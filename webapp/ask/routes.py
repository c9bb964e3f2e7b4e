"""Ask a question and see it answered live on the annotate page; answers ahead of time are made anew when a label taught something."""

from http import HTTPStatus

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue

from webapp.ask import refreshing, service
from webapp.db import write
from webapp.errors import Invalid, NotFound, Unavailable
from webapp.htmx import redirect_to, render
from webapp.people.service import current_person, require
from webapp.projects.service import project_or_404
from webapp.releases.by_hand import request_answers

bp = Blueprint("ask", __name__)


@bp.after_app_request
def refresh_what_is_like_it(response: Response) -> Response:
    """A stored decision that speaks of passages, or takes back one that did, changes what like questions in the queue should find."""
    if request.method == "POST" and response.status_code < HTTPStatus.BAD_REQUEST and _teaches():
        refreshing.request((request.view_args or {}).get("project_id", 0))
    return response


def _teaches() -> bool:
    form = request.form
    if request.endpoint != "label.decide":
        return request.endpoint == "label.undo"
    names_passages = form.get("decision") in ("accept", "correct", "wrong_passage") or form.get("passage", "") != ""
    return names_passages or form.get("version", "0") != "0"


@bp.post("/p/<int:project_id>/ask/ahead")
@require("engineer")
def answer_ahead(project_id: int) -> ResponseReturnValue:
    """Have the waiting questions answered after that was cancelled."""
    project = project_or_404(project_id)
    with write() as rows:
        request_answers(rows, project)
    return redirect_to(url_for("projects.home", project_id=project.id))


def _page(project_id: int, *, error: str = "") -> Response:
    project = project_or_404(project_id)
    text = request.form.get("question", "")
    return render(
        "ask/index.html", "ask_form", project=project, asked=text, error=error, typed=service.typed_questions(project)
    )


@bp.get("/p/<int:project_id>/ask")
@require()
def index(project_id: int) -> ResponseReturnValue:
    return _page(project_id)


@bp.post("/p/<int:project_id>/ask")
@require()
def ask(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    try:
        with write() as rows:
            question = service.add_question(rows, project, request.form.get("question", ""), person=current_person())
    except Invalid as error:
        return _page(project_id, error=str(error)), 400
    return _answer_and_show(project_id, question.id)


@bp.post("/p/<int:project_id>/annotate/<int:question_id>/answer")
@require()
def answer(project_id: int, question_id: int) -> ResponseReturnValue:
    """Ask the engine about a question of the queue that has no answer of the champion yet."""
    service.question_or_404(project_or_404(project_id), question_id)
    return _answer_and_show(project_id, question_id)


def _answer_and_show(project_id: int, question_id: int) -> ResponseReturnValue:
    missing = None
    try:
        service.answer_live(project_or_404(project_id), question_id)
    except Unavailable:
        missing = "engine"  # the page asks the health table for the words and the command
    except NotFound:
        missing = "release"
    return redirect_to(url_for("label.question", project_id=project_id, question_id=question_id, missing=missing))
