"""A process that ends with the one that started it: a job's with its worker, the three processes with their supervisor."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def follow_parent(parent: int | None, *, ended_by: int = signal.SIGTERM) -> None:
    """Ask Linux to send ``ended_by`` when the parent ends, however that ends. Nothing to do when started by hand (None)."""
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, ended_by)
    if os.getppid() != parent:  # it ended before we could ask
        raise SystemExit(1)
