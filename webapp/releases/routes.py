"""The line of releases: what each is made of, what is and was in service, and one click to promote another or roll back."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from webapp.addresses import chosen
from webapp.htmx import redirect_to, render
from webapp.models import Project, db
from webapp.people.service import current_person, require
from webapp.projects.service import project_or_404
from webapp.releases import by_hand, history, service

bp = Blueprint("releases", __name__)


@bp.app_template_global()
def promotion_of_model(project: Project) -> history.Promotion | None:
    """For the project's home page, which knows nothing of releases' history: who put the model into service, and why."""
    return history.model_promotion(history.promotions(project))


@bp.get("/p/<int:project_id>/releases")
@require()
def index(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    previous, champion = service.previous_champion(db.session(), project), service.champion_of(project)
    promotions, wants_all = history.promotions(project), bool(chosen("promotions", ("all",)))
    return render(
        "releases/index.html", "releases", project=project, lines=by_hand.describe(project, promotions), previous=previous,
        champion=champion.number if champion else 0, total=len(promotions), meanings=by_hand.metric_meanings(project),
        promotions=promotions if wants_all else promotions[: history.SHOWN],
    )  # fmt: skip


def _expected() -> int | None:
    """The champion's number the form was made for."""
    return request.form.get("champion", type=int)


def _reason() -> str:
    return by_hand.clean_reason(request.form.get("reason", ""))


@bp.post("/p/<int:project_id>/releases/<int:number>/promote")
@require("engineer")
def promote(project_id: int, number: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    release = service.release_or_404(project, number)
    by_hand.promote_today(project, release, person=current_person(), reason=_reason(), expected=_expected())
    return redirect_to(url_for("releases.index", project_id=project.id))


@bp.post("/p/<int:project_id>/releases/rollback")
@require("engineer")
def rollback(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    by_hand.roll_back(project, person=current_person(), reason=_reason(), expected=_expected())
    return redirect_to(url_for("releases.index", project_id=project.id))
