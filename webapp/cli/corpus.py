"""``errata import`` and ``errata index``."""

from pathlib import Path
from typing import Any

import click

from webapp.cli.common import emit, json_option, opened, progress

KINDS = ("documents", "questions", "gold", "labels", "feedback")
LISTED = 20


def _columns(pairs: tuple[str, ...]) -> dict[str, str] | None:
    columns = {}
    for pair in pairs:
        name, mark, column = pair.partition("=")
        if not (name and mark and column):
            raise click.UsageError(f"--map takes FIELD=COLUMN, such as text=body, not {pair!r}.")
        columns[name.strip()] = column
    return columns or None


@click.command("import")
@click.argument("project")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), default="documents", show_default=True, help="What the file holds.")
@click.option("--map", "pairs", multiple=True, metavar="FIELD=COLUMN", help="Which column holds what; once per field.")
@click.option(
    "--format",
    "format_name",
    help="csv, tsv, jsonl, json, parquet, txt, md or html; by the file's ending if not given.",
)
@json_option
def import_(
    project: str, file: Path, kind: str, pairs: tuple[str, ...], format_name: str | None, as_json: bool
) -> None:
    """Add the rows of FILE to PROJECT. What is there already is passed over; bad rows are listed, the good ones go in."""
    from webapp.corpus.importing import import_file
    from webapp.corpus.jobs import follow_up
    from webapp.db import write
    from webapp.projects.service import project_by_name

    columns = _columns(pairs)
    with opened():
        found = project_by_name(project)
        result = import_file(
            file, project=found, kind=kind, format=format_name, columns=columns, report=progress(as_json=as_json)
        )
        with write() as session:
            follow_up(session, found, result, name=file.name)
        emit(result.as_dict(), as_json=as_json, text=_import_text(result.as_dict(), file))


def _import_text(result: dict[str, Any], file: Path) -> str:
    rejected, warnings = result["rejected"], result["warnings"]
    lines = [
        f"{file.name}: {result['added']:,} {result['kind']} added, {result['duplicates']:,} there already, {len(rejected):,} refused."
    ]
    lines += _listed(rejected)
    if warnings:
        lines.append(f"{len(warnings):,} of those added look wrong:")
    return "\n".join([*lines, *_listed(warnings)])


def _listed(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"  line {row['line']}: {row['reason']}" for row in rows[:LISTED]]
    return [*lines, f"  and {len(rows) - LISTED:,} more; --json lists all."] if len(rows) > LISTED else lines


@click.command("index")
@click.argument("project")
@json_option
def index(project: str, as_json: bool) -> None:
    """Split, embed and index what is new in PROJECT, and put the result in service."""
    from webapp.projects.service import project_by_name

    with opened():
        found = project_by_name(project)
        result = _index(found, as_json=as_json)
        text = f"{result['documents']:,} documents, {result['passages']:,} passages ({result['embedder']}); release {result['release']} in service."
        emit(result, as_json=as_json, text=text)


def _index(project: Any, *, as_json: bool) -> dict[str, Any]:
    """The result of an index job: a new one, or the one that an import has asked for already."""
    from webapp.corpus.index import enqueue_index
    from webapp.db import write
    from webapp.errors import Busy
    from webapp.jobs.run import wait

    try:
        with write() as session:
            job_id = enqueue_index(session, project).id
    except Busy as busy:
        if busy.job_id is None:
            raise
        job_id = busy.job_id
    job = wait(job_id, report=progress(as_json=as_json))
    if job.state != "succeeded" or job.result is None:
        raise click.ClickException(job.error or f"The index job was {job.state}; nothing was changed.")
    return job.result
