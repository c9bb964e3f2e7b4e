"""The corpus page: documents with search, uploads and their column mapping, what became of imports, the index."""

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from webapp.audit import record
from webapp.corpus import documents, uploads
from webapp.corpus import index as corpus_index
from webapp.corpus.forms import clean_ids, clean_mapping, clean_page
from webapp.corpus.importing import guess_all, load_kind, sniff_file
from webapp.db import write
from webapp.errors import Busy, Invalid, NotFound
from webapp.htmx import is_htmx, redirect_to, render
from webapp.jobs.service import enqueue, is_active
from webapp.models import Job, Project, db
from webapp.people.service import current_person, require
from webapp.projects.service import project_or_404

bp = Blueprint("corpus", __name__)

IMPORTS_SHOWN = 5
REJECTED_SHOWN = 10
KIND_NAMES = {
    "documents": "Documents: texts to find answers in",
    "questions": "Questions: the queue to work through",
    "gold": "Gold: questions with their right answers",
    "labels": "Labels: decisions exported from Errata",
    "feedback": "Feedback: marks that people gave a model's answers",
}
FIELD_HELP = {
    "id": "Your own id for the row.",
    "title": "A heading; shown above passages and searched with them.",
    "text": "The text itself.",
    "question": "The question, or whatever is to be answered.",
    "context": "The text the answers are in; it joins the corpus.",
    "answers": "One text, or a list of texts or of {text, start}.",
    "is_impossible": "True where the context holds no answer.",
    "prediction": 'What the model said; empty, or "not answerable", where it gave no answer.',
    "feedback": "Correct, Partially Correct or Wrong.",
}


def _recent_imports(project: Project) -> list[Job]:
    query = (
        select(Job)
        .where(Job.project_id == project.id, Job.kind == "import")
        .order_by(Job.id.desc())
        .limit(IMPORTS_SHOWN)
    )
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _page(project: Project, *, errors: dict[str, str] | None = None) -> Response:
    block = "state" if request.headers.get("HX-Target") == "state" else "documents"
    imports = _recent_imports(project)
    state = corpus_index.index_state(project)
    is_working = state.job is not None or any(is_active(job) for job in imports)
    query = request.args.get("q", "")[:200]
    response = render(
        "corpus/index.html", block, project=project, state=state, imports=imports, is_working=is_working, query=query,
        page=documents.list_documents(project, query=query, number=clean_page(request.args.get("page"))),
        kinds=KIND_NAMES, errors=errors or {}, values=request.form, is_active=is_active, rejected_shown=REJECTED_SHOWN,
    )  # fmt: skip
    seen = request.args.get("seen", type=int)
    if is_htmx() and block == "state" and (not is_working or seen not in (None, state.documents)):
        response.headers["HX-Trigger"] = "corpus-changed"
    return response


@bp.get("/p/<int:project_id>/corpus")
@require()
def index(project_id: int) -> ResponseReturnValue:
    return _page(project_or_404(project_id))


@bp.post("/p/<int:project_id>/corpus/import")
@require("engineer")
def upload(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    kind = request.form.get("kind", "documents")
    try:
        load_kind(kind)
        saved = uploads.save(project, kind, request.files.get("file"))
    except Invalid as error:
        return _page(project, errors=error.fields or {"file": str(error)}), 400
    try:
        columns = sniff_file(saved.source(), kind=kind)
    except Invalid as error:
        uploads.discard(saved)
        return _page(project, errors={"file": str(error)}), 400
    if columns is not None and columns.guess is None:
        return redirect_to(url_for("corpus.mapping", project_id=project.id, upload_id=saved.id))
    return _start(project, saved, columns=None)


def _start(project: Project, saved: uploads.Upload, *, columns: dict[str, str] | None) -> ResponseReturnValue:
    payload = {"upload": saved.id, "columns": columns, "name": saved.name, "kind": saved.kind}
    with write() as rows:
        # The upload's own lock: a form sent twice starts one import.
        enqueue(
            rows, "import", project_id=project.id, payload=payload, lock=f"import:{saved.id}", person=current_person()
        )
    return redirect_to(url_for("corpus.index", project_id=project.id))


def _mapping_page(project: Project, saved: uploads.Upload, *, errors: dict[str, str] | None = None) -> Response:
    columns = sniff_file(saved.source(), kind=saved.kind)
    if columns is None:
        raise NotFound("This file has no columns to choose from; upload it again.")
    importer = load_kind(saved.kind)
    guess = guess_all(columns, kind=saved.kind)
    chosen = request.form if request.method == "POST" else guess
    missing = [field for field in importer.REQUIRED if field not in guess]
    return render(
        "corpus/mapping.html", project=project, upload=saved, columns=columns, fields=importer.FIELDS, required=importer.REQUIRED,
        missing=missing, chosen=chosen, errors=errors or {}, help=FIELD_HELP,
    )  # fmt: skip


@bp.get("/p/<int:project_id>/corpus/import/<upload_id>")
@require("engineer")
def mapping(project_id: int, upload_id: str) -> ResponseReturnValue:
    project = project_or_404(project_id)
    return _mapping_page(project, uploads.upload_or_404(project.id, upload_id))


@bp.post("/p/<int:project_id>/corpus/import/<upload_id>")
@require("engineer")
def map_columns(project_id: int, upload_id: str) -> ResponseReturnValue:
    project = project_or_404(project_id)
    saved = uploads.upload_or_404(project.id, upload_id)
    try:
        columns = clean_mapping(request.form, saved)
    except Invalid as error:
        return _mapping_page(project, saved, errors=error.fields), 400
    return _start(project, saved, columns=columns)


@bp.get("/p/<int:project_id>/corpus/imports/<int:job_id>")
@require()
def show_import(project_id: int, job_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    job = db.session.get(Job, job_id, populate_existing=True)
    if job is None or job.project_id != project.id or job.kind != "import":
        raise NotFound("There is no such import in this project; the corpus page lists the latest ones.")
    return render("corpus/import.html", "result", project=project, job=job, is_active=is_active)


@bp.get("/p/<int:project_id>/corpus/documents/<int:document_id>")
@require()
def show_document(project_id: int, document_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    document = documents.document_or_404(project, document_id)
    return render("corpus/document.html", project=project, document=document, passages=documents.passages_of(document))


@bp.post("/p/<int:project_id>/corpus/documents/delete")
@require("engineer")
def delete(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    ids = clean_ids(request.form.getlist("document"))
    with write() as rows:
        if documents.delete_documents(rows, project, ids):
            corpus_index.request_index(rows, project, person=current_person())
    return redirect_to(url_for("corpus.index", project_id=project.id))


@bp.post("/p/<int:project_id>/corpus/index")
@require("engineer")
def build(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    try:
        with write() as rows:
            corpus_index.enqueue_index(rows, project, person=current_person())
            record(rows, "index.request", project_id=project.id)
    except Busy:
        pass  # it runs already, and the page shows that
    return redirect_to(url_for("corpus.index", project_id=project.id))
