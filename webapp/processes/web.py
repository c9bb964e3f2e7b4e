"""A web process: ``python -m webapp.processes.web``, started by the supervisor. Small, quick to start, no model in it."""

import argparse
import gc
import os
import socket
import threading
import time
from typing import Any

from flask import Flask

from webapp.parent import follow_parent
from webapp.processes.address import BACKLOG, port_of
from webapp.processes.common import start_logging, stop_on_signal
from webapp.settings import read_settings

STEP_S, MOST_STEPS = 0.0002, 20


def run_web(app: Flask, *, listener: socket.socket, name: str, stop: threading.Event) -> None:
    """Serve until ``stop`` is set. Several processes may accept from the same ``listener``."""
    from waitress.server import create_server

    from webapp.checkpoint import start_checkpointer
    from webapp.heartbeat import forget, forget_former, start_beating
    from webapp.people.service import flush_seen

    settings = app.config["ERRATA"]
    server = create_server(
        app,
        sockets=[listener],
        threads=settings.threads,
        ident=None,
        connection_limit=500,
        backlog=BACKLOG,
        channel_timeout=60,
        max_request_body_size=settings.upload_mb * 1024 * 1024 + 1024 * 1024,
        clear_untrusted_proxy_headers=True,
        url_scheme="https" if settings.https else "http",
    )
    _accept_politely(server)
    forget_former(app)
    start_beating(app, name, stop=stop, url=settings.url(port_of(listener)), also=flush_seen)
    start_checkpointer(settings.home / "errata.sqlite3", settings.home / "run" / "checkpoint.lock", stop=stop)
    threading.Thread(target=server.run, name="web-http", daemon=True).start()
    stop.wait()
    server.close()
    server.task_dispatcher.shutdown(timeout=3)
    forget(app, name)


def _accept_politely(server: Any) -> None:
    """Of the processes that wait for the same connection the one with the fewest comes first: browsers keep theirs for long."""
    accept = server.handle_accept

    def accept_after_others() -> None:
        time.sleep(min(len(server.active_channels), MOST_STEPS) * STEP_S)
        accept()  # finds nothing when another was quicker

    server.handle_accept = accept_after_others


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--name", required=True, help="under which it says that it lives")
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
    # What a page makes is freed without it; rarer looks leave fewer pages waiting for one.
    gc.set_threshold(50_000, 20, 50)
    run_web(app, listener=socket.socket(fileno=options.socket), name=options.name, stop=stop)


if __name__ == "__main__":
    main()
