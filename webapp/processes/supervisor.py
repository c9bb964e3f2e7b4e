"""``errata serve``: starts web, engine and worker, restarts one that dies, stops all of them within five seconds."""

import logging
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path
from threading import Event
from typing import IO

from webapp.checkpoint import take_lock
from webapp.errors import Busy, Unavailable
from webapp.heartbeat import web_names
from webapp.processes.address import port_of
from webapp.settings import Settings

READY_S = 60.0  # a second or two as a rule; a machine that trains beside may take long
STOP_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
GOOD_RUN_S = 60.0
LARGEST_LOG = 10 * 1024 * 1024

log = logging.getLogger("errata.serve")


@dataclass
class Child:
    name: str
    command: list[str]
    log_path: Path
    listens_on: int | None = None  # the file descriptor of the shared address
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    start_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        with _open_log(self.log_path) as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=() if self.listens_on is None else (self.listens_on,),
            )  # fmt: skip
        self.started_at = time.monotonic()


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def hold_home(settings: Settings) -> IO[str]:
    """Held while serving: two supervisors on one home would start everything twice."""
    held = take_lock(settings.home / "run" / "serve.lock")
    if held is None:
        owner = (settings.home / "run" / "serve.lock").read_text(encoding="utf-8").strip()
        raise Busy(
            f"Errata is serving {settings.home} already{' at ' + owner if owner else ''}; open that, or stop it first."
        )
    return held


def make_child(settings: Settings, name: str, *options: str, title: str = "", listens_on: int | None = None) -> Child:
    command = [sys.executable, "-m", f"webapp.processes.{name}", *options, "--parent", str(getpid())]
    return Child(title or name, command, settings.home / "log" / f"{name}.log", listens_on)


def web_children(settings: Settings, listener: socket.socket) -> list[Child]:
    """As many as the settings say, all accepting from ``listener``."""
    number_of = listener.fileno()
    return [
        make_child(settings, "web", "--socket", str(number_of), "--name", name, title=name, listens_on=number_of)
        for name in web_names(settings)
    ]


class Supervisor:
    """Its web processes accept from one ``listener``, which stays open when one of them dies: who connects meanwhile waits."""

    def __init__(self, settings: Settings, *, listener: socket.socket, stop: Event) -> None:
        self.settings = settings
        self.listener = listener
        self.stop = stop
        self.webs = web_children(settings, listener)
        alone = ["worker"] if settings.engine_url else ["engine", "worker"]
        self.children = [*self.webs, *(make_child(settings, name) for name in alone)]

    def run(self, *, ready: Callable[[], None]) -> None:
        """Until ``stop`` is set; ``ready`` is called once the pages can be opened."""
        try:
            for child in self.children:
                child.start()
            self._wait_for_web()
            ready()
            while not self.stop.wait(0.2):
                for child in self.children:
                    self._look_after(child)
        finally:
            self._end_all()

    def _wait_for_web(self) -> None:
        url = f"{self.settings.url(port_of(self.listener))}/healthz"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and not self.stop.is_set():
            with suppress(urllib.error.URLError, OSError), opener.open(url, timeout=2):
                return
            if all(web.process is not None and web.process.poll() is not None for web in self.webs):
                break
            time.sleep(0.05)
        if not self.stop.is_set():
            raise Unavailable(f"The web process did not start; {self.webs[0].log_path} says why.")

    def _look_after(self, child: Child) -> None:
        if child.process is not None and child.process.poll() is None:
            return
        now = time.monotonic()
        if child.process is not None:
            code = child.process.returncode
            child.process = None
            if now - child.started_at > GOOD_RUN_S:
                child.pause_s = FIRST_PAUSE_S
            child.start_at = now + child.pause_s
            log.warning(
                "The %s ended with code %s; starting it again in %.1f s (%s).",
                child.name,
                code,
                child.pause_s,
                child.log_path,
            )
            child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
        if now >= child.start_at:
            child.start()

    def _end_all(self) -> None:
        alive = [child.process for child in self.children if child.process is not None and child.process.poll() is None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + STOP_S - 0.5
        for process in alive:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
