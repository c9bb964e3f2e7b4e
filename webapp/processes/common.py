"""What the three processes do alike: log and stopping on a signal."""

import logging
import signal
import threading

from webapp.settings import Settings


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
