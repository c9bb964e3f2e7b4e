"""The annotate page: one question, one decision, and the next question in the same answer."""

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from webapp.ask import queue
from webapp.ask import service as asking
from webapp.db import write
from webapp.errors import Invalid, Stale
from webapp.htmx import is_htmx, redirect_to, render
from webapp.jobs import service as jobs
from webapp.label import pages, service
from webapp.label.forms import read_submission
from webapp.label.sidebar import (
    count_decided,
    forget_progress,
    next_iteration,
    queue_progress,
    recent_decisions,
    what_is_missing,
)
from webapp.label.submission import decision_of
from webapp.label.view import new_submission_id, view_question
from webapp.models import Answer, Job, Label, Project, Question, db
from webapp.people.service import SignedIn, current_person, require
from webapp.projects.service import project_or_404

bp = Blueprint("label", __name__)


def _me() -> SignedIn:
    person = current_person()
    if person is None:
        raise RuntimeError("A route without require() asked who is signed in.")
    return person


def _page(project: Project, question: Question | queue.Served | None, **more: Any) -> Response:
    """The page around ``question``; without one it says what to do."""
    session, me = db.session(), _me()
    reader = session.connection()  # straight to the tables: this runs for every label
    progress = queue_progress(reader, project, anew=question is None)
    view = view_question(session, project, question, me.id) if question is not None else None
    waits = view is not None and view.answer_id is None
    context: dict[str, Any] = {
        "view": view, "answering": _answering(project) if waits else None,
        "progress": progress, "recent": recent_decisions(reader, project, me.id),
        "iteration": next_iteration(reader, project), "undo_id": new_submission_id(), "form": {}, "error": "", "saved": None,
        "missing": "" if question is not None else what_is_missing(session, project, progress), "stale": None, "asked": "",
        "is_start": False, "trouble": "", "said": None,
    }  # fmt: skip
    return render("label/annotate.html", "annotate", project=project, **(context | more))


@bp.get("/p/<int:project_id>/annotate")
@require()
def annotate(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    held = queue.held_question(db.session(), project, _me())
    saved = service.own_label(db.session(), project, _me().id, request.args.get("saved", type=int))
    is_start = held is None and queue.is_any_left(db.session(), project, _me())
    return _page(project, held, saved=_word(saved), said=_said(saved), is_start=is_start)


def _answering(project: Project) -> Job | None:
    """The job that will come to a question which has no answer yet."""
    active = jobs.active_jobs(project.id)
    return next((job for job in active if job.kind == "predict" and not job.payload.get("refresh")), None)


def _said(label: Label | service.Saved | None) -> str | None:
    """After a blind decision: what the model had said, "" for that the passages do not have it; None when it was seen anyway."""
    if label is None or not label.is_blind or label.verdict == "skip":
        return None
    return db.session.scalar(select(Answer.text).where(Answer.id == label.answer_id))


def _word(label: Label | service.Saved | None) -> str | None:
    return decision_of(label.verdict, label.reject_reason) if label is not None else None


@bp.post("/p/<int:project_id>/annotate/next")
@require()
def take_next(project_id: int) -> ResponseReturnValue:
    """Lease the next question; a GET never does, so that nothing is taken by a page that is only looked at."""
    project = project_or_404(project_id)
    with write() as rows:
        question = queue.take_next(rows, project, _me())
    return _page(project, question) if is_htmx() else redirect_to(url_for("label.annotate", project_id=project_id))


@bp.get("/p/<int:project_id>/annotate/<int:question_id>")
@require()
def question(project_id: int, question_id: int) -> ResponseReturnValue:
    """One question of one's own choice: just typed, or decided before and looked at again."""
    project = project_or_404(project_id)
    return _page(project, asking.question_or_404(project, question_id), trouble=request.args.get("missing", ""))


@bp.get("/p/<int:project_id>/annotate/<int:question_id>/answer")
@require()
def await_answer(project_id: int, question_id: int) -> ResponseReturnValue:
    """Nothing while the question waits for its answer, its page once that has come: an open page asks every few seconds."""
    if asking.waits_for_answer(db.session(), project_id, question_id):
        return "", 204
    return question(project_id, question_id)


@bp.post("/p/<int:project_id>/annotate/<int:question_id>")
@require()
def decide(project_id: int, question_id: int) -> ResponseReturnValue:
    me = _me()
    try:
        submission = read_submission(request.form, project_id=project_id, question_id=question_id, person=me)
        with write() as rows:
            project = project_or_404(project_id)
            label = service.store(rows, submission)
            following = queue.take_next(rows, project, me)
    except Stale as error:
        return _stale_page(project_or_404(project_id), question_id, error), 409
    except Invalid as error:
        project = project_or_404(project_id)
        asked = asking.question_or_404(project, question_id)
        return _page(project, asked, error=str(error), form=request.form), 400
    return _saved_page(project, label, following)


def _saved_page(project: Project, label: service.Saved, following: queue.Served | None) -> Response:
    here = url_for("label.annotate", project_id=project.id)
    count_decided(project.id, label.closed)
    if not is_htmx():
        return redirect_to(url_for("label.annotate", project_id=project.id, saved=label.id))
    response = _page(project, following, saved=_word(label), said=_said(label))
    response.headers["HX-Replace-Url"] = here
    return response


def _stale_page(project: Project, question_id: int, error: Stale) -> Response:
    asked = asking.question_or_404(project, question_id)
    saved = db.session.get(Label, error.current_id) if error.current_id is not None else None
    stale = {"message": str(error), "saved": saved, "word": _word(saved)}
    return _page(project, asked, stale=stale, form=request.form)


@bp.post("/p/<int:project_id>/annotate/undo")
@require()
def undo(project_id: int) -> ResponseReturnValue:
    """Take back a decision of one's own and show its question again."""
    project, me = project_or_404(project_id), _me()
    label_id, submission_id = request.form.get("label", 0, type=int), request.form.get("submission_id", "")
    with write() as rows:
        undone = service.undo(rows, label_id, person=me, submission_id=submission_id)
    forget_progress(project_id)
    here = url_for("label.question", project_id=project_id, question_id=undone.question_id)
    if not is_htmx():
        return redirect_to(here)
    before = db.session.get_one(Label, label_id)
    response = _page(
        project,
        asking.question_or_404(project, undone.question_id),
        form={"text": before.text, "reason": before.reason},
        saved="undo",
    )
    response.headers["HX-Replace-Url"] = here
    return response


bp.add_url_rule("/p/<int:project_id>/labels", "index", require()(pages.index))
bp.add_url_rule("/p/<int:project_id>/labels/<int:label_id>", "show", require()(pages.show))
