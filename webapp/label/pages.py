"""The list of labels with its filters, and one label with all that is known about it."""

from flask import request
from flask.typing import ResponseReturnValue

from webapp.htmx import render
from webapp.label import agreement, browse
from webapp.label.submission import DECISIONS
from webapp.models import db
from webapp.people.service import viewer_id
from webapp.projects.service import project_or_404


def _filters() -> browse.Filters:
    args = request.args
    return browse.Filters(
        decision=args.get("decision", "") if args.get("decision", "") in DECISIONS else "",
        person_id=args.get("person", type=int), text=args.get("q", "").strip()[:200], release=args.get("release", type=int),
        history=args.get("history") == "all",
    )  # fmt: skip


def index(project_id: int) -> ResponseReturnValue:
    project, filters, session = project_or_404(project_id), _filters(), db.session()
    page = browse.list_labels(
        session,
        project,
        filters,
        viewer_id=viewer_id(),
        before=request.args.get("before", type=int),
        after=request.args.get("after", type=int),
    )
    kept = {
        name: value
        for name, value in request.args.items()
        if name in ("decision", "person", "q", "release", "history") and value
    }
    return render(
        "label/index.html", "rows", project=project, page=page, filters=filters, kept=kept, decisions=list(DECISIONS),
        agreement=agreement.measure(session, project), people=browse.people_who_labelled(session, project), releases=browse.releases_of(session, project),
    )  # fmt: skip


def show(project_id: int, label_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    return render(
        "label/show.html", project=project, trace=browse.trace(db.session(), project, label_id, viewer_id=viewer_id())
    )
