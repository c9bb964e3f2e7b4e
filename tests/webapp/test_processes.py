"""Three processes under one supervisor, what every page says about them, and how they end."""

import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from webapp.cli.common import opened
from webapp.db import write
from webapp.errors import Busy
from webapp.health import is_alive, processes
from webapp.heartbeat import beat
from webapp.models import Process, db, now
from webapp.processes.supervisor import choose_port, free_port, hold_home
from webapp.settings import Settings

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("It did not happen in time.")


class Serving:
    """``errata serve`` in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environ = {
            **os.environ,
            "ERRATA_HOME": str(home),
            "ERRATA_PORT": "0",
            "ERRATA_OPEN_BROWSER": "no",
            "PYTHONUNBUFFERED": "1",
        }
        self.output = (home.parent / "serve.out").open("w+", encoding="utf-8")
        command = [sys.executable, "-m", "webapp.cli", "serve"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=self.output, stderr=self.output)

    def printed(self) -> str:
        return (self.home.parent / "serve.out").read_text(encoding="utf-8")

    def address(self) -> str:
        found: re.Match[str] = until(lambda: re.search(r"http://\S+", self.printed()) or self._ended())
        return found[0]

    def _ended(self) -> None:
        assert self.process.poll() is None, self.printed()

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            name = next((part for part in child.cmdline() if part.startswith("webapp.processes.")), "")
            found[name.rpartition(".")[2]] = child
        return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    found = Serving(tmp_path / "home")
    yield found
    if found.process.poll() is None:
        found.process.terminate()
        found.process.wait(15)
    found.output.close()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


@pytest.mark.kill
def test_serve_starts_three_restarts_what_dies_and_stops_them_all(serving: Serving) -> None:
    address = serving.address()
    base, token = address.split("/sign-in?token=")
    assert len(token) >= 43
    assert status(address) == 200
    before = serving.children()
    assert set(before) == {"web", "engine", "worker"}
    web = before["web"]
    assert web.memory_info().rss < 150 * 1024**2
    assert sum(web.cpu_times()[:2]) < 2.0
    until(lambda: status(f"{base}/readyz") == 200)
    for process in before.values():
        process.kill()
    until(lambda: status(f"{base}/healthz") == 200)  # the same address: browsers and links stay good
    after = until(lambda: len(serving.children()) == 3 and serving.children())
    assert not {process.pid for process in after.values()} & {process.pid for process in before.values()}
    began = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(10) == 0
    assert time.monotonic() - began < 6
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in after.values())
    assert "Stopped." in serving.printed()


@pytest.mark.kill
def test_nothing_is_left_running_when_the_supervisor_is_killed(serving: Serving) -> None:
    serving.address()
    children = serving.children()
    serving.process.kill()
    serving.process.wait()
    until(
        lambda: (
            not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in children.values())
        ),
        10,
    )


def test_a_port_in_use_is_one_sentence_with_the_mend(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = Settings(home=settings.home, port=port)
        with pytest.raises(Busy, match=f"Port {port} .* in use; .*errata serve --port {port + 1}"):
            choose_port(busy, may_choose=False)
        assert choose_port(busy, may_choose=True) not in (0, port)


def test_a_free_port_is_taken_as_it_is(settings: Settings) -> None:
    port = free_port("127.0.0.1")
    assert choose_port(Settings(home=settings.home, port=port), may_choose=False) == port


def test_one_home_is_served_once(app: Flask, settings: Settings) -> None:
    with hold_home(settings) as held:
        held.write("http://127.0.0.1:1")
        held.flush()
        with pytest.raises(Busy, match=r"already at http://127\.0\.0\.1:1"):
            hold_home(settings)
    hold_home(settings).close()


def test_a_process_is_dead_fifteen_seconds_after_its_last_heartbeat(app: Flask) -> None:
    with write() as session:
        beat(session, "worker")
    assert is_alive("worker")
    with write() as session:
        session.execute(update(Process).values(heartbeat_at=now() - dt.timedelta(seconds=16)))
    assert not is_alive("worker")
    worker = next(one for one in processes() if one.name == "worker")
    assert worker.mend == "errata worker"
    assert "labelling goes on" in worker.sentence


def test_every_page_says_in_words_what_is_dead_and_how_to_mend_it(app: Flask, client: FlaskClient) -> None:
    page = client.get("/").text
    assert "The engine is not running" in page
    assert "errata engine" in page
    with write() as session:
        beat(session, "engine", state="Release 3 of Food was refused: damaged. Release 2 keeps serving.")
        beat(session, "worker")
    app.extensions["errata_health"].clear()
    page = client.get("/").text
    assert "The engine is not running" not in page
    assert "Release 2 keeps serving" in page


def test_ready_means_database_disk_engine_and_worker(app: Flask, anonymous: FlaskClient) -> None:
    assert anonymous.get("/healthz").get_json() == {"ok": True}
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ok": False, "database": True, "disk": True, "engine": False, "worker": False}
    with write() as session:
        beat(session, "engine")
        beat(session, "worker")
    assert anonymous.get("/readyz").status_code == 200


def test_the_health_page_shows_processes_and_on_request_every_check(client: FlaskClient) -> None:
    assert "errata worker" in client.get("/health").text
    checks = client.get("/health/checks").text
    assert "SQLite" in checks
    assert "synchronous=FULL" in checks


def test_the_first_start_makes_an_administrator_and_later_ones_do_not(tmp_path: Path) -> None:
    from webapp.cli.serve import sign_in_address
    from webapp.models import Person, SignIn
    from webapp.people.service import sign_in

    with opened(Settings(home=tmp_path)):
        first = sign_in_address("http://x", always=False)
        again = sign_in_address("http://x", always=False)
        assert "/sign-in?token=" in first
        assert first != again
        assert [person.role for person in db.session.scalars(db.select(Person))] == ["admin"]
        with write() as session:
            sign_in(session, first.partition("=")[2])
        assert sign_in_address("http://x", always=False) == "http://x/"
        assert "/sign-in?token=" in sign_in_address("http://x", always=True)
        assert db.session.scalar(db.select(db.func.count()).select_from(SignIn)) == 1
