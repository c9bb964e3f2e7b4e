"""Bring the database to this version's tables, with a copy of the old one first."""

import datetime as dt
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from webapp.db import copy_database
from webapp.errors import Invalid
from webapp.home import database_path, home
from webapp.models import db

FOLDER = Path(__file__).parent / "migrations"


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(FOLDER))
    found.set_main_option("path_separator", "os")
    return found


def current_revision() -> str | None:
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade_database() -> bool:
    """Upgrade if needed, after a copy into backups/; returns whether anything was changed. Refuses a database from a newer Errata."""
    script = ScriptDirectory.from_config(config())
    current = current_revision()
    if current == script.get_current_head():
        return False
    if current is not None:
        known = {revision.revision for revision in script.walk_revisions()}
        if current not in known:
            raise Invalid(
                f"The database was written by a newer version of Errata (schema {current}); install that version."
            )
        _copy_aside(current)
    command.upgrade(config(), "head")
    return True


def _copy_aside(revision: str) -> None:
    if db.engine.dialect.name != "sqlite":
        return
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    target = home() / "backups" / f"before-upgrade-{revision}-{stamp}.sqlite3"
    copy_database(database_path(), target)
