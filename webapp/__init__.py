"""The web app: people, HTTP, the database, jobs and processes. This file only wires."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from webapp.settings import Settings, read_settings

if TYPE_CHECKING:
    from flask import Flask

ROOT = Path(__file__).parent.parent

# One blueprint, named ``bp``, per capability.
CAPABILITIES = (
    "people",
    "projects",
    "jobs",
    "processes",
    "releases",
    "corpus",
    "ask",
    "label",
    "datasets",
    "iterations",
    "exports",
)


def create_base(settings: Settings) -> "Flask":
    """The app with its settings and database and nothing that answers HTTP: what the worker, engine and command line need."""
    from flask import Flask

    from webapp import db as database
    from webapp.errors import Invalid
    from webapp.home import make_home, read_or_make_key
    from webapp.models import db

    make_home(settings.home)
    app = Flask(
        "webapp",
        root_path=str(ROOT / "webapp"),
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
        static_url_path="/static",
    )
    app.config["ERRATA"] = settings
    app.config["SECRET_KEY"] = settings.secret_key or read_or_make_key(settings.home / "secret.key")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url or f"sqlite:///{settings.home / 'errata.sqlite3'}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": settings.threads + 4, "max_overflow": 4}
    db.init_app(app)
    try:
        with app.app_context():
            database.prepare(db.engine)
    except ModuleNotFoundError as error:
        sentence = f"ERRATA_DATABASE_URL needs the package {error.name}, which is not installed; pip install it."
        raise Invalid(sentence) from error
    return app


def create_app(settings: Settings | None = None) -> "Flask":
    """The web process's app."""
    from webapp import error_pages, htmx, security

    app = create_base(settings or read_settings(os.environ))
    security.init_app(app)
    error_pages.init_app(app)
    for name in CAPABILITIES:
        if _has_routes(name):
            app.register_blueprint(importlib.import_module(f"webapp.{name}.routes").bp)
    htmx.init_app(app)  # after the blueprints: the macros that all pages share take what these offer to templates
    return app


def _has_routes(name: str) -> bool:
    return (ROOT / "webapp" / name / "routes.py").exists()
