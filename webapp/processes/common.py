"""What the three processes do alike: log, stopping on a signal, and how those without pages start."""

import argparse
import logging
import os
import signal
import threading
from typing import Protocol

from flask import Flask

from webapp.parent import follow_parent
from webapp.settings import Settings, read_settings


class Run(Protocol):
    def __call__(self, app: Flask, *, stop: threading.Event) -> None: ...


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


def run_alone(run: Run) -> None:
    """The main function of a process that serves no pages: until a signal comes or its supervisor ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int)
    follow_parent(parser.parse_args().parent)
    stop = stop_on_signal()
    settings = read_settings(os.environ)
    start_logging(settings)
    from webapp import create_base

    run(create_base(settings), stop=stop)
