"""What the three processes do alike: settings, log, dying with their supervisor, stopping on a signal."""

import ctypes
import logging
import os
import signal
import sys
import threading

from webapp.settings import Settings

PR_SET_PDEATHSIG = 1


def follow_parent(parent: int | None) -> None:
    """Ask Linux to end this process when its supervisor ends, however that ends. Nothing to do when started by hand."""
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)


def start_logging(settings: Settings) -> None:
    """To standard error, which the supervisor sends to log/<process>.log."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def stop_on_signal() -> threading.Event:
    """Set on SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
