"""The list of labels with its filters, and one label with all that is known about it."""

from flask import Response, request
from flask.typing import ResponseReturnValue

from webapp.errors import Invalid
from webapp.htmx import render
from webapp.label import agreement, browse
from webapp.label.browse import Filters, Page
from webapp.label.filters import NAMES, Choices, read_filters, read_place
from webapp.label.submission import DECISIONS
from webapp.models import Project, db
from webapp.people.service import viewer_id
from webapp.projects.service import project_or_404


def index(project_id: int) -> ResponseReturnValue:
    project, session = project_or_404(project_id), db.session()
    choices = Choices(browse.people_who_labelled(session, project), browse.releases_of(session, project))
    try:
        shown = read_filters(request.args, choices)
        page = browse.list_labels(
            session, project, shown, viewer_id=viewer_id(),
            before=read_place(request.args, "before"), after=read_place(request.args, "after"),
        )  # fmt: skip
    except Invalid as error:
        return _list(project, choices, error=str(error)), 400
    return _list(project, choices, shown=shown, page=page)


def _list(
    project: Project, choices: Choices, *, shown: Filters | None = None, page: Page | None = None, error: str = ""
) -> Response:
    kept = {name: value for name, value in request.args.items() if name in NAMES and value} if not error else {}
    return render(
        "label/index.html", "rows", project=project, page=page or Page([], None, None), filters=shown or Filters(), kept=kept, error=error,
        decisions=list(DECISIONS), agreement=agreement.measure(db.session(), project), people=choices.people, releases=choices.releases,
    )  # fmt: skip


def show(project_id: int, label_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    return render(
        "label/show.html", project=project, trace=browse.trace(db.session(), project, label_id, viewer_id=viewer_id())
    )
