"""The list of projects, a new one, a project's home and its settings."""

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue

from training.tasks import DEFAULT_TASK, task_titles
from webapp.audit import record
from webapp.db import write
from webapp.errors import Invalid
from webapp.htmx import redirect_to, render
from webapp.models import db
from webapp.people.service import current_person, has_role, require
from webapp.projects import changes, service, settings

bp = Blueprint("projects", __name__)


@bp.get("/")
@require()
def index() -> ResponseReturnValue:
    """The list; for somebody who has just signed in and has one project only, that project instead."""
    projects = service.list_projects()
    if request.args.get("enter") and len(projects) == 1:
        person = current_person()
        is_annotator = person is not None and not has_role(person, "engineer")
        return redirect_to(url_for("label.annotate" if is_annotator else "projects.home", project_id=projects[0].id))
    return render("projects/index.html", projects=projects, titles=task_titles())


def _new_page(*, errors: dict[str, str] | None = None) -> Response:
    defaults = {"name": "", "task": DEFAULT_TASK, "base": "starter", "embedder": "minilm"}
    values = {name: request.form.get(name, default) for name, default in defaults.items()}
    return render("projects/new.html", "form", tasks=sorted(task_titles().items()), values=values, errors=errors or {})


@bp.get("/projects/new")
@require("engineer")
def new() -> ResponseReturnValue:
    return _new_page()


@bp.post("/projects/new")
@require("engineer")
def create() -> ResponseReturnValue:
    form = request.form
    try:
        with write() as rows:
            project = service.create_project(
                rows,
                form.get("name", ""),
                task=form.get("task", DEFAULT_TASK),
                base=form.get("base", "starter"),
                embedder=form.get("embedder", "minilm"),
                person=current_person(),
            )
    except Invalid as error:
        return _new_page(errors=error.fields or {"name": str(error)}), 400
    return redirect_to(url_for("projects.home", project_id=project.id))


@bp.get("/p/<int:project_id>/")
@require()
def home(project_id: int) -> ResponseReturnValue:
    project = service.project_or_404(project_id)
    return render(
        "projects/home.html", project=project, overview=service.overview(project), settings=settings.read(project),
        changes=changes.last_changes(db.session(), project),
    )  # fmt: skip


def _settings_page(
    project_id: int, *, errors: dict[str, str] | None = None, saved: bool = False, not_deleted: str = ""
) -> Response:
    project = service.project_or_404(project_id)
    rows = settings.documented(project)
    return render(
        "projects/settings.html",
        "form",
        project=project,
        rows=rows,
        values=request.form,
        errors=errors or {},
        saved=saved,
        not_deleted=not_deleted,
    )


@bp.get("/p/<int:project_id>/settings")
@require("engineer")
def edit_settings(project_id: int) -> ResponseReturnValue:
    return _settings_page(project_id)


@bp.post("/p/<int:project_id>/settings")
@require("engineer")
def save_settings(project_id: int) -> ResponseReturnValue:
    project = service.project_or_404(project_id)
    names = {row["name"] for row in settings.documented(project)}
    wanted = {name: value for name, value in request.form.items() if name in names}
    try:
        with write() as rows:
            settings.update(rows, project, **wanted)
            record(rows, "project.settings", project_id=project.id, changes=wanted)
    except Invalid as error:
        return _settings_page(project_id, errors=error.fields), 400
    return _settings_page(project_id, saved=True)


@bp.post("/p/<int:project_id>/delete")
@require("admin")
def delete(project_id: int) -> ResponseReturnValue:
    project = service.project_or_404(project_id)
    if request.form.get("name", "") != project.name:
        message = f"Type the project's name, {project.name}, to delete it; nothing was deleted."
        return _settings_page(project_id, not_deleted=message), 400
    with write() as rows:
        service.delete_project(rows, project, person=current_person())
    return redirect_to(url_for("projects.index"))
