"""The web process: ``python -m webapp.processes.web``, started by the supervisor. Small, quick to start, no model in it."""

import argparse
import gc
import os
import threading

from flask import Flask

from webapp.parent import follow_parent
from webapp.processes.common import start_logging, stop_on_signal
from webapp.settings import read_settings


def run_web(app: Flask, *, host: str, port: int, stop: threading.Event) -> None:
    """Serve until ``stop`` is set."""
    from waitress.server import create_server

    from webapp.checkpoint import start_checkpointer
    from webapp.heartbeat import forget, start_beating
    from webapp.people.service import flush_seen

    settings = app.config["ERRATA"]
    server = create_server(
        app,
        host=host,
        port=port,
        threads=settings.threads,
        ident=None,
        connection_limit=500,
        backlog=512,
        channel_timeout=60,
        max_request_body_size=settings.upload_mb * 1024 * 1024 + 1024 * 1024,
        clear_untrusted_proxy_headers=True,
        url_scheme="https" if settings.https else "http",
    )
    start_beating(app, "web", stop=stop, url=settings.url(port), also=flush_seen)
    start_checkpointer(settings.home / "errata.sqlite3", settings.home / "run" / "checkpoint.lock", stop=stop)
    threading.Thread(target=server.run, name="web-http", daemon=True).start()
    stop.wait()
    server.close()
    server.task_dispatcher.shutdown(timeout=3)
    forget(app, "web")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args()
    follow_parent(options.parent)
    stop = stop_on_signal()
    settings = read_settings(os.environ)
    start_logging(settings)
    from webapp import create_app

    app = create_app(settings)
    gc.collect()
    gc.freeze()  # what is there now stays: not looking through it again and again takes a twentieth off every page
    run_web(app, host=options.host, port=options.port, stop=stop)


if __name__ == "__main__":
    main()
