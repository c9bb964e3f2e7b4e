"""The worker process: ``python -m webapp.processes.worker`` or ``errata worker``."""

import threading

from flask import Flask

from webapp.heartbeat import forget, start_beating
from webapp.jobs.worker import Worker
from webapp.processes.common import run_alone


def run(app: Flask, *, stop: threading.Event) -> None:
    """Work until ``stop`` is set. In the main thread: the children die with the thread that started them."""
    start_beating(app, "worker", stop=stop)
    Worker(app, stop).run()
    forget(app, "worker")


if __name__ == "__main__":
    run_alone(run)
