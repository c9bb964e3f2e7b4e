"""The page of processes, and what a supervisor or load balancer asks."""

import shutil

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from webapp.health import is_alive, processes
from webapp.home import home, settings
from webapp.htmx import render
from webapp.models import db
from webapp.people.service import require
from webapp.processes.doctor import examine

bp = Blueprint("processes", __name__)

LEAST_FREE_TO_BE_READY = 100 * 1024**2


@bp.get("/health")
@require()
def health() -> ResponseReturnValue:
    return render("processes/health.html", "processes", processes=processes(), checks=None)


@bp.get("/health/checks")
@require("engineer")
def checks() -> ResponseReturnValue:
    """The doctor's checks: slow on large models, so only when asked for."""
    return render("processes/health.html", "processes", processes=processes(), checks=examine())


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(ok=True)


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Nothing about versions or paths: anybody may ask."""
    parts = {
        "database": db.session.scalar(text("SELECT 1")) == 1,
        "disk": shutil.disk_usage(home()).free > LEAST_FREE_TO_BE_READY,
        "engine": bool(settings().engine_url) or is_alive("engine"),
        "worker": is_alive("worker"),
    }
    return jsonify(ok=all(parts.values()), **parts), 200 if all(parts.values()) else 503
