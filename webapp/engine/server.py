"""The engine's loopback HTTP: ask, state, healthz. Only who knows the key in ``engine.key`` is answered."""

import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from webapp.engine.champions import Champions
from webapp.engine.wire import KEY_HEADER, to_json
from webapp.errors import ErrataError, NotFound

LONGEST_TEXT = 20_000
MOST_PASSAGES = 50

log = logging.getLogger("errata.engine")


def make_wsgi(champions: Champions, *, key: str) -> Callable[[Any, Any], Iterable[bytes]]:
    """The WSGI application."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = 1024 * 1024
        status, body = _answer(champions, request, key)
        response = Response(json.dumps(body), status=status, mimetype="application/json")
        return response(environ, start_response)

    return application


def _answer(champions: Champions, request: Request, key: str) -> tuple[int, dict[str, Any]]:
    if request.path == "/healthz":
        return 200, {"ok": True}
    if not hmac.compare_digest(request.headers.get(KEY_HEADER, ""), key):
        return 403, {"error": "The engine answers only requests that carry the key in engine.key."}
    try:
        if request.path == "/state" and request.method == "GET":
            return 200, _state(champions)
        if request.path == "/ask" and request.method == "POST":
            return _ask(champions, request)
    except ErrataError as error:
        return 404 if isinstance(error, NotFound) else 503, {"error": str(error)}
    except HTTPException as error:
        return error.code or 400, {"error": error.description or "The request could not be read."}
    except Exception as error:  # the edge of the process: one broken request must not end the engine
        log.exception("Asking failed")
        return 500, {
            "error": f"The model failed on this question ({type(error).__name__}); details are in log/engine.log."
        }
    return 404, {"error": "The engine knows POST /ask, GET /state and GET /healthz."}


def _ask(champions: Champions, request: Request) -> tuple[int, dict[str, Any]]:
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        return 400, {"error": "Expected a JSON object with project, text and k."}
    project_id, text, k = asked.get("project"), asked.get("text"), asked.get("k", 5)
    if not isinstance(project_id, int) or not isinstance(text, str) or not isinstance(k, int):
        return 400, {"error": "Expected project and k as whole numbers and text as a string."}
    if not 0 < len(text.strip()) <= LONGEST_TEXT or not 1 <= k <= MOST_PASSAGES:
        return 400, {"error": f"Expected a text of 1 to {LONGEST_TEXT} characters and 1 to {MOST_PASSAGES} passages."}
    return 200, to_json(champions.ask(project_id, text, k=k))


def _state(champions: Champions) -> dict[str, Any]:
    return {"held": [asdict(files) for files in champions.held().values()], "trouble": champions.trouble()}


def run_engine(
    app: Flask, *, port: int, key: str, ready: Callable[[str, Champions], None], stop: threading.Event
) -> None:
    """Serve until ``stop``; ``ready`` is called with the address once the socket listens."""
    from waitress.server import create_server

    settings = app.config["ERRATA"]
    champions = Champions(app, capacity=settings.engine_projects)
    server = create_server(make_wsgi(champions, key=key), host="127.0.0.1", port=port, threads=4, ident=None)
    ready(f"http://127.0.0.1:{server.effective_port}", champions)
    threading.Thread(target=champions.watch, name="champions", daemon=True).start()
    threading.Thread(target=server.run, name="engine-http", daemon=True).start()
    stop.wait()
    champions.stop.set()
    server.close()
    time.sleep(0.05)  # answers on their way out
