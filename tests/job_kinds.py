"""Jobs that only tests run, in real child processes."""

import os
import time
from pathlib import Path
from typing import Any

from webapp.db import write
from webapp.errors import Invalid
from webapp.jobs.context import JobContext
from webapp.models import AuditEvent

KINDS = {
    name: f"job_kinds:{name}" for name in ("count", "yielding", "deaf", "refuse", "break_down", "fill_disk", "publish")
}


def count(context: JobContext) -> dict[str, Any]:
    """Counts to ``steps``, a step each 50 ms, going on from what an earlier attempt left in ``file``."""
    place = Path(context.payload["file"])
    place.with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    done = int(place.read_text(encoding="utf-8")) if place.exists() else 0
    first = done
    while done < context.payload["steps"]:
        time.sleep(0.05)
        done += 1
        place.write_text(str(done), encoding="utf-8")
        context.report(done / context.payload["steps"], f"Step {done}")
    return {"done": done, "first": first, "attempt": context.attempt}


def yielding(context: JobContext) -> dict[str, Any]:
    """Counts like ``count``, and lets more urgent work go first; ends only after it did once, or without a worker."""
    place = Path(context.payload["file"])
    steps = int(place.read_text(encoding="utf-8")) if place.exists() else 0
    while not Path(context.payload["go"]).exists():
        steps += 1
        place.write_text(str(steps), encoding="utf-8")
        context.report(0.5, f"Step {steps}")
        context.step_aside()
        time.sleep(0.05)
    return {"steps": steps}


def deaf(context: JobContext) -> dict[str, Any]:
    """Never reports, so it never hears that it is cancelled."""
    context.report(0.1, "Not listening")
    Path(context.payload["file"]).with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(60)
    return {}


def refuse(context: JobContext) -> dict[str, Any]:
    raise Invalid("There are no labels yet; label some questions first.")


def break_down(context: JobContext) -> dict[str, Any]:
    raise ZeroDivisionError("division by zero\nin the last line")


def fill_disk(context: JobContext) -> dict[str, Any]:
    raise OSError(28, "No space left on device")


def publish(context: JobContext) -> dict[str, Any]:
    """Waits for ``go``, then writes a row as its result: only with the lease in hand."""
    Path(context.payload["file"]).with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    while not Path(context.payload["go"]).exists():
        time.sleep(0.05)
    with write() as session:
        context.guard(session)
        session.add(AuditEvent(action="test.publish", detail={"attempt": context.attempt}))
    return {"attempt": context.attempt}
