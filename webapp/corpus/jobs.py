"""What the worker does for a corpus: import an uploaded file, bring the index up to date."""

from typing import Any

from sqlalchemy.orm import Session

from webapp.audit import record
from webapp.corpus import index, uploads
from webapp.corpus.importing import ImportResult, import_file
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Project
from webapp.projects.service import project_or_404
from webapp.releases.by_hand import request_answers
from webapp.releases.service import champion_of

LISTED_REJECTIONS = 1_000
ROUNDS = 5


def run_import(context: JobContext) -> dict[str, Any]:
    project = project_or_404(context.project_id or 0)
    upload = uploads.upload_or_404(project.id, context.payload["upload"])
    source = upload.source(columns=context.payload.get("columns"))
    result = import_file(
        source.path, project=project, kind=upload.kind, format=source.format, columns=source.columns, name=upload.name,
        report=context.report, guard=context.guard,
    )  # fmt: skip
    with write() as session:
        context.guard(session)
        follow_up(session, project, result, name=upload.name, person_id=context.person_id)
    uploads.discard(upload)
    listed = result.as_dict()
    return {
        **listed, "name": upload.name, "rejected": listed["rejected"][:LISTED_REJECTIONS], "rejected_rows": len(result.rejected),
        "warnings": listed["warnings"][:LISTED_REJECTIONS], "warned_rows": len(result.warnings),
    }  # fmt: skip


def follow_up(
    session: Session, project: Project, result: ImportResult, *, name: str, person_id: int | None = None
) -> None:
    """What an import causes: an audit row, an index for new documents, answers for new questions."""
    record(
        session, "corpus.import", project_id=project.id, person_id=person_id, kind=result.kind, name=name, added=result.added,
        duplicates=result.duplicates, rejected=len(result.rejected),
    )  # fmt: skip
    if result.added and result.kind in ("documents", "gold", "labels", "feedback"):
        index.request_index(session, project)
    if result.added and result.kind in ("questions", "gold", "labels", "feedback") and champion_of(project) is not None:
        request_answers(session, project)


def run_index(context: JobContext) -> dict[str, Any]:
    """Once, and again while documents came or went meanwhile."""
    project = project_or_404(context.project_id or 0)
    result = index.update_index(project, report=context.report, guard=context.guard)
    for _ in range(ROUNDS):
        if not index.is_out_of_date(project):
            break
        again = index.update_index(project, report=context.report, guard=context.guard)
        result = _together(result, again)
    return result.as_dict()


def _together(first: index.IndexResult, second: index.IndexResult) -> index.IndexResult:
    from dataclasses import replace

    return replace(
        second,
        added=first.added + second.added,
        removed=first.removed + second.removed,
        seconds=first.seconds + second.seconds,
    )
