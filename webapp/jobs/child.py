"""The process of one job: ``python -m webapp.jobs.child JOB_ID TOKEN PARENT MODULE:FUNCTION``. Dies with its worker, gives way to the pages."""

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from webapp import create_base
from webapp.jobs.run import execute
from webapp.parent import follow_parent
from webapp.settings import Settings, read_settings

NICENESS = 10


def give_way() -> None:
    """Pages first. A child leads its own session, and where Linux groups processes by session, niceness counts within the group
    alone: the group itself must give way too, or one training takes as much of the processor as all pages together."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # no such file: nothing is grouped
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def limit_torch(settings: Settings) -> None:
    """Through the environment: torch reads it when a job imports it, and nothing is imported here that needs no torch."""
    if settings.torch_threads:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(settings.torch_threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main(job_id: int, token: str, parent: int, function: str) -> int:
    follow_parent(parent, ended_by=signal.SIGKILL)  # elsewhere than on Linux the lost lease stops it at its next report
    give_way()
    settings = read_settings(os.environ)
    limit_torch(settings)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_base(settings)
    with app.app_context():
        return 0 if execute(job_id, token, function=function, has_worker=True) else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
