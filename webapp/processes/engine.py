"""The engine process: ``python -m webapp.processes.engine`` or ``errata engine``."""

import threading

from flask import Flask

from webapp.engine.champions import Champions
from webapp.engine.server import run_engine
from webapp.heartbeat import forget, start_beating
from webapp.home import engine_key
from webapp.jobs.child import limit_torch
from webapp.processes.common import run_alone


def run(app: Flask, *, stop: threading.Event) -> None:
    """Serve until ``stop`` is set, saying in the process table where."""
    settings = app.config["ERRATA"]
    limit_torch(settings)
    with app.app_context():
        key = engine_key()

    def ready(url: str, champions: Champions) -> None:
        start_beating(app, "engine", url=url, state=champions.trouble, stop=stop)

    run_engine(app, port=settings.engine_port, key=key, ready=ready, stop=stop)
    forget(app, "engine")


if __name__ == "__main__":
    run_alone(run)
