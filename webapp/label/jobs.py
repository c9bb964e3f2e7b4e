"""The ``export`` job: labels into an export artefact that the download page offers."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.artefact import writing
from training.types import TrainingError
from webapp import home
from webapp.jobs.context import JobContext
from webapp.label.export import Filters, suffix_of
from webapp.label.export_files import export_to
from webapp.models import Project, db

KEPT = 10  # newest exports of a project; older files are removed, the labels stay
SHOWN_AT_MOST = 200  # dropped labels named in the result; the side file has them all


def run_export(context: JobContext) -> dict[str, Any]:
    project = db.session.get(Project, context.project_id)
    if project is None or project.deleted_at is not None:
        raise TrainingError("This export cannot run: its project was deleted.")
    format_name = context.payload["format"]
    filters = Filters(tuple(context.payload.get("verdicts", ())), context.payload.get("person_id"))
    place = home.export_folder(project.id) / f"{context.job_id}-{context.attempt}"
    name = f"labels.{suffix_of(format_name)}"
    with writing(place, kind="export", about={"format": format_name, "project": project.name}) as folder:
        exported = export_to(folder / name, project, format_name, filters=filters, report=context.report)
    _remove_old(place.parent)
    result = asdict(exported)
    return result | {
        "dropped": exported.dropped[:SHOWN_AT_MOST], "dropped_total": len(exported.dropped), "path": home.relative(place), "file": name,
    }  # fmt: skip


def _remove_old(folder: Path) -> None:
    whole = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("tmp-")]
    for path in sorted(whole, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
