"""Run by Alembic. On SQLite the whole upgrade is one IMMEDIATE transaction, checked before it is committed."""

from typing import Any, Literal

from alembic import context

from webapp.models import UtcDateTime, db


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """A migration must not change when our own types do: write the plain type."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    engine = db.engine
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect().execution_options(immediate=True) as connection, connection.begin():
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=is_sqlite,
            render_item=render_item,
            transactional_ddl=False,  # ours is already begun
        )
        context.run_migrations()
        if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise RuntimeError("The upgrade would leave a row that points at nothing; the database was not changed.")


run()
