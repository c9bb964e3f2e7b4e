"""A real worker in a process of its own that also knows the tests' jobs: ``python worker_process.py``."""

import os

import job_kinds

from webapp import create_base
from webapp.jobs.registry import KINDS
from webapp.processes.common import start_logging, stop_on_signal
from webapp.processes.worker import run
from webapp.settings import read_settings

if __name__ == "__main__":
    KINDS.update(job_kinds.KINDS)
    stop = stop_on_signal()
    settings = read_settings(os.environ)
    start_logging(settings)
    run(create_base(settings), stop=stop)
