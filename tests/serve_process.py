"""``errata serve`` with web, engine and worker as processes of their own, as a person starts it."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Everything runs on this home folder; gives the sign-in link that the command prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ERRATA_")}
    environ |= {
        "ERRATA_HOME": str(home),
        "ERRATA_TORCH_THREADS": "1",
        "ERRATA_OPEN_BROWSER": "no",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "webapp.cli", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True).start()
    try:
        yield lines.get(timeout=180).split()[-1]
    finally:
        process.terminate()
        process.wait(20)
