"""The ``errata`` command. Commands are found by name in a table and imported when called, so that --help is quick."""

import importlib
import os
import sys
from typing import Any

import click

COMMANDS = {
    "serve": ("webapp.cli.serve", "Start everything and open the pages."),
    "demo": ("webapp.cli.serve", "Start with a demo project that works without a network."),
    "project": ("webapp.cli.project", "Create, list and delete projects."),
    "import": ("webapp.cli.corpus", "Read documents, questions, gold rows or labels from a file."),
    "index": ("webapp.cli.corpus", "Split, embed and index new documents."),
    "ask": ("webapp.cli.ask", "Answer one question with the release in service."),
    "train": ("webapp.cli.learning", "Start an iteration on all labels so far."),
    "evaluate": ("webapp.cli.learning", "Measure a release on gold rows."),
    "replay": ("webapp.cli.learning", "Let gold rows play the annotator for some rounds."),
    "promote": ("webapp.cli.release", "Put a release in service."),
    "rollback": ("webapp.cli.release", "Go back to the release before."),
    "export": ("webapp.cli.learning", "Write labels to a file."),
    "user": ("webapp.cli.user", "Add people and make their sign-in links."),
    "doctor": ("webapp.cli.operate", "Check everything and say what to do."),
    "backup": ("webapp.cli.operate", "Copy database and models to a folder while the server runs."),
    "restore": ("webapp.cli.operate", "Fill an empty home folder from a backup."),
    "engine": ("webapp.cli.serve", "Run the engine alone."),
    "worker": ("webapp.cli.serve", "Run the worker alone."),
}
USAGE_EXIT, FAILURE_EXIT = 2, 1


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        found = (
            value for value in vars(module).values() if isinstance(value, click.Command) and value.name == cmd_name
        )
        return next(found, None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="errata", prog_name="errata")
def group() -> None:
    """People correct a question-answering model, and the model learns from every correction.

    Everything lies in the folder ERRATA_HOME (~/.errata). The README lists the other settings.
    """


def main() -> Any:
    """Run a command; every failure is one sentence on standard error, exit code 2 for misuse and 1 for failure."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        group.main(prog_name="errata", standalone_mode=False)
    except click.exceptions.Abort:
        return _fail("Stopped.", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE_EXIT)
    except click.ClickException as error:
        hint = (
            f" (`{error.ctx.command_path} --help` explains)"
            if isinstance(error, click.UsageError) and error.ctx
            else ""
        )
        return _fail(error.format_message() + hint, error.exit_code)
    except (
        Exception
    ) as error:  # the edge of the process: known failures are sentences, anything else is a defect to see
        return _fail_with(error)


def _fail(sentence: str, code: int) -> None:
    click.echo(" ".join(sentence.split()), err=True)
    sys.exit(code)


def _fail_with(error: Exception) -> None:
    import sqlite3

    from sqlalchemy.exc import SQLAlchemyError

    from retriever.types import RetrieverError
    from training.artefact import DamagedArtefact
    from training.types import TrainingError
    from webapp.errors import ErrataError, Invalid, NotFound

    if isinstance(error, (Invalid, NotFound)):
        _fail(str(error), USAGE_EXIT)
    if isinstance(error, (ErrataError, RetrieverError, TrainingError, DamagedArtefact)):
        _fail(str(error), FAILURE_EXIT)
    if isinstance(error, (SQLAlchemyError, sqlite3.Error)):
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        _fail(f"The database could not be read or written ({cause}); `errata doctor` says more.", FAILURE_EXIT)
    if isinstance(error, OSError):
        _fail(f"{error.strerror or error}: {error.filename or ''}", FAILURE_EXIT)
    raise error
