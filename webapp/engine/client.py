"""Ask the engine. Every failure becomes one sentence that names the command that mends it."""

import json
import urllib.error
import urllib.request
from typing import Any

from sqlalchemy import select

from webapp.engine.wire import KEY_HEADER, EngineAnswer, from_json
from webapp.errors import NotFound, Unavailable
from webapp.health import is_alive
from webapp.home import engine_key, settings
from webapp.models import Process, db

TIMEOUT_S = 60.0
START = "start it with `errata engine`, or everything with `errata serve`"

# Never through a proxy: the engine is on this machine or one we were told by address.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def engine_url() -> str:
    """The engine's address. Raises :class:`Unavailable` when none is running."""
    if settings().engine_url:
        return settings().engine_url.rstrip("/")
    url = db.session.scalar(select(Process.url).where(Process.name == "engine"))
    if not url or not is_alive("engine"):
        raise Unavailable(f"The engine is not running, so a typed question gets no answer now; {START}.")
    return url


def ask(project_id: int, text: str, *, k: int, timeout_s: float = TIMEOUT_S) -> EngineAnswer:
    """The champion's answer, live. Raises :class:`Unavailable`, or :class:`NotFound` when the project has no release yet."""
    body = {"project": project_id, "text": text, "k": k}
    return from_json(_call("/ask", body, timeout_s=timeout_s))


def state(*, timeout_s: float = 5.0) -> dict[str, Any]:
    return _call("/state", None, timeout_s=timeout_s)


def _call(path: str, body: dict[str, Any] | None, *, timeout_s: float) -> dict[str, Any]:
    url = engine_url()
    db.session.rollback()  # no read transaction stays open while a model works
    data = json.dumps(body).encode() if body is not None else None
    headers = {KEY_HEADER: engine_key(), "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data=data, headers=headers)  # noqa: S310  (an address of ours)
    try:
        with _opener.open(request, timeout=timeout_s) as response:
            found: dict[str, Any] = json.load(response)
            return found
    except urllib.error.HTTPError as error:
        raise _refusal(error) from error
    except TimeoutError as error:
        raise Unavailable(
            f"The engine did not answer within {timeout_s:.0f} seconds; try again or restart it: {START}."
        ) from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"The engine at {url} cannot be reached; {START}.") from error


def _refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        sentence = str(json.load(error)["error"])
    except (ValueError, KeyError):
        sentence = f"The engine answered with status {error.code}; see log/engine.log."
    return NotFound(sentence) if error.code == 404 else Unavailable(sentence)
