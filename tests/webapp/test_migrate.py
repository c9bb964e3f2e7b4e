"""The database is brought to this version's tables, once, whole, and with a copy of the old one."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import select, text

from webapp import create_base, migrate
from webapp.errors import Invalid
from webapp.models import DatasetLabel, Label, db
from webapp.settings import Settings


@pytest.fixture
def empty_home(tmp_path: Path) -> Flask:
    return create_base(Settings(home=tmp_path))


def test_a_new_database_is_made_once(empty_home: Flask) -> None:
    with empty_home.app_context():
        assert migrate.upgrade_database()
        assert not migrate.upgrade_database()
        assert list((empty_home.config["ERRATA"].home / "backups").iterdir()) == []


def test_the_migrations_make_exactly_the_tables_of_the_models(app: Flask) -> None:
    command.check(migrate.config())


def test_a_database_of_a_newer_version_is_refused_and_not_touched(app: Flask) -> None:
    with db.engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Invalid, match="newer version"):
        migrate.upgrade_database()


def test_an_older_database_is_copied_before_it_is_changed(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _with_another_migration(tmp_path, "op.add_column('person', sa.Column('shoe', sa.Integer()))")
    monkeypatch.setattr(migrate, "FOLDER", folder)
    assert migrate.upgrade_database()
    [copy] = (app.config["ERRATA"].home / "backups").iterdir()
    assert "shoe" in _columns(app.config["ERRATA"].home / "errata.sqlite3")
    assert "shoe" not in _columns(copy)


def test_an_upgrade_that_fails_half_way_changes_nothing(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _with_another_migration(
        tmp_path, "op.add_column('person', sa.Column('shoe', sa.Integer())); raise RuntimeError('half way')"
    )
    monkeypatch.setattr(migrate, "FOLDER", folder)
    with pytest.raises(RuntimeError, match="half way"):
        migrate.upgrade_database()
    assert migrate.current_revision() == "0003"
    assert "shoe" not in _columns(app.config["ERRATA"].home / "errata.sqlite3")


FIRST_VERSION = """
    INSERT INTO person (id, name, role, active, created_at) VALUES (1, 'ada', 'admin', 1, '2026-01-01');
    INSERT INTO project (id, name, task, base, embedder, settings, created_at)
        VALUES (1, 'shop', 'qa', 'starter', 'minilm', '{}', '2026-01-01');
    INSERT INTO question (id, project_id, external_id, text, sha256, source, priority, state, round, label_count, created_at)
        VALUES (1, 1, '', 'When?', 'a', 'import', 0, 'done', 1, 1, '2026-01-01');
    INSERT INTO label (id, project_id, question_id, person_id, round, version, submission_id, verdict, text, reason,
                       edit_distance, seconds, is_late, created_at)
        VALUES (1, 1, 1, 1, 1, 1, 'once', 'accept', 'now', '', 0, 1.0, 0, '2026-01-01');
    INSERT INTO dataset (id, project_id, path, fingerprint, counts, created_at) VALUES (1, 1, 'd', 'f', '{}', '2026-01-01');
    INSERT INTO dataset_label (dataset_id, label_id, split, kind) VALUES (1, 1, 'train', 'accept');
"""


def test_labels_of_the_first_version_keep_their_weight_and_their_places_in_datasets(empty_home: Flask) -> None:
    with empty_home.app_context():
        command.upgrade(migrate.config(), "0001")
        with sqlite3.connect(empty_home.config["ERRATA"].home / "errata.sqlite3") as connection:
            connection.executescript(FIRST_VERSION)
        assert migrate.upgrade_database()
        label = db.session.get(Label, 1)
        assert label is not None
        assert (label.weight, label.is_blind) == (1.0, False)
        [place] = db.session.scalars(select(DatasetLabel))
        assert (place.dataset_id, place.label_id, place.split, place.kind) == (1, 1, "train", "accept")


def _with_another_migration(tmp_path: Path, body: str) -> Path:
    import shutil

    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9999'\ndown_revision = '0003'\n\ndef upgrade():\n    {body}\n",
        encoding="utf-8",
    )
    return folder


def _columns(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(person)")}
