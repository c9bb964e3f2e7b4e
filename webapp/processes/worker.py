"""The worker process: ``python -m webapp.processes.worker`` or ``errata worker``."""

import argparse
import os
import threading

from flask import Flask

from webapp.heartbeat import forget, start_beating
from webapp.jobs.worker import Worker
from webapp.parent import follow_parent
from webapp.processes.common import start_logging, stop_on_signal
from webapp.settings import read_settings


def run(app: Flask, *, stop: threading.Event) -> None:
    """Work until ``stop`` is set. In the main thread: the children die with the thread that started them."""
    start_beating(app, "worker", stop=stop)
    Worker(app, stop).run()
    forget(app, "worker")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int)
    follow_parent(parser.parse_args().parent)
    stop = stop_on_signal()
    settings = read_settings(os.environ)
    start_logging(settings)
    from webapp import create_base

    run(create_base(settings), stop=stop)


if __name__ == "__main__":
    main()
