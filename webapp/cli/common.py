"""What commands share: the app with an up-to-date database, one JSON object or a few lines, progress on standard error."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from flask import Flask

from webapp.settings import Settings, read_settings

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@contextlib.contextmanager
def opened(settings: Settings | None = None) -> Iterator[Flask]:
    """The app of ``ERRATA_HOME`` with its database upgraded and an application context pushed."""
    from webapp import create_base
    from webapp.migrate import upgrade_database
    from webapp.models import db

    app = create_base(settings or read_settings(os.environ))
    with app.app_context():
        try:
            upgrade_database()
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def emit(values: dict[str, Any], *, as_json: bool, text: str) -> None:
    """The result: ``values`` as one JSON object on a line, or ``text`` for a person."""
    click.echo(json.dumps(values, ensure_ascii=False) if as_json else text)


def progress(*, as_json: bool = False) -> Callable[[float, str], None]:
    """A ``report`` for the command line: one line that rewrites itself on a terminal, nothing with --json or in a pipe."""
    quiet = as_json or not sys.stderr.isatty()
    last = [0.0]

    def report(fraction: float, message: str) -> None:
        if quiet or (time.monotonic() - last[0] < 0.1 and fraction < 1):
            return
        last[0] = time.monotonic()
        line = f"{fraction:4.0%} {message}"[:100]
        click.echo(f"\r{line:<100}" + ("\n" if fraction >= 1 else ""), err=True, nl=False)

    return report
