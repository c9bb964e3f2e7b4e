"""project create, list, set, delete."""

from dataclasses import asdict

import click

from training.tasks import DEFAULT_TASK
from webapp.cli.common import emit, json_option, opened


@click.group("project")
def project() -> None:
    """Create, list, set up and delete projects."""


@project.command("create")
@click.argument("name")
@click.option("--task", default=DEFAULT_TASK, show_default=True, help="What is asked of the model.")
@click.option(
    "--base",
    default="starter",
    show_default=True,
    help="Base model: starter, reader, a folder of safetensors, or a hub id.",
)
@click.option(
    "--embedder", default="minilm", show_default=True, help="Embedder for search: minilm, a folder, or a hub id."
)
@json_option
def create(name: str, task: str, base: str, embedder: str, as_json: bool) -> None:
    """Create a project named NAME."""
    from webapp.db import write
    from webapp.projects.service import create_project

    with opened():
        with write() as session:
            made = create_project(session, name, task=task, base=base, embedder=embedder)
        values = {
            "project": made.id,
            "name": made.name,
            "task": made.task,
            "base": made.base,
            "embedder": made.embedder,
        }
        text = f'Project {made.id} "{made.name}" created. Next: errata import "{made.name}" FILE --kind documents'
        emit(values, as_json=as_json, text=text)


@project.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the projects."""
    from webapp.projects.service import list_projects, overview

    with opened():
        rows = [(one, overview(one)) for one in list_projects()]
        values = [
            {
                "project": one.id,
                "name": one.name,
                "task": one.task,
                "base": one.base,
                "documents": seen.documents,
                "questions": seen.questions,
                "labels": seen.labels,
                "release": seen.champion.number if seen.champion else None,
            }
            for one, seen in rows
        ]
        lines = [
            f"{row['project']:>4}  {row['name']}  ({row['task']}, {row['base']}): {row['documents']} documents, "
            f"{row['questions']} questions, {row['labels']} labels, release {row['release'] or 'none'}"
            for row in values
        ]
        emit(
            {"projects": values}, as_json=as_json, text="\n".join(lines) or "No project yet: errata project create NAME"
        )


@project.command("set")
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="[SETTING=VALUE]...")
@json_option
def set_up(name: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Show or change the settings of project NAME."""
    from webapp.audit import record
    from webapp.db import write
    from webapp.projects import settings
    from webapp.projects.service import project_by_name

    wrong = next((change for change in changes if "=" not in change), None)
    if wrong is not None:
        raise click.UsageError(f"{wrong!r} is not SETTING=VALUE, for example train_after=100.")
    wanted = dict(change.split("=", 1) for change in changes)
    with opened():
        found = project_by_name(name)
        if wanted:
            with write() as session:
                settings.update(session, found, **wanted)
                record(session, "project.settings", project_id=found.id, changes=wanted)
        values = asdict(settings.read(found))
        emit(
            {"project": found.id, **values},
            as_json=as_json,
            text="\n".join(f"{key} = {value}" for key, value in values.items()),
        )


@project.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete project NAME: it is hidden, its jobs are cancelled, its files stay."""
    from webapp.db import write
    from webapp.projects.service import delete_project, project_by_name

    with opened():
        found = project_by_name(name)
        if not yes and not click.confirm(f"Delete {name} and cancel its jobs?", err=True):
            raise click.Abort
        with write() as session:
            delete_project(session, found)
        emit({"project": found.id, "deleted": True}, as_json=as_json, text=f"Project {name} deleted.")
