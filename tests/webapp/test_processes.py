"""Web, engine and worker under one supervisor, what every page says about them, and how they end."""

import datetime as dt
import os
import re
import signal
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
from webapp.errors import Busy, Invalid
from webapp.health import is_alive, processes
from webapp.heartbeat import beat, forget_former
from webapp.models import Process, db, now
from webapp.processes.address import listen, open_address, port_of
from webapp.processes.supervisor import hold_home
from webapp.settings import Settings

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
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
            "ERRATA_WEB_PROCESSES": "2",
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
            try:
                command = child.cmdline()
            except psutil.NoSuchProcess:  # it ended meanwhile, a zombie included
                continue
            name = next((part for part in command if part.startswith("webapp.processes.")), "").rpartition(".")[2]
            found[command[command.index("--name") + 1] if "--name" in command else name] = child
        return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    found = Serving(tmp_path / "home")
    yield found
    if found.process.poll() is None:
        found.process.terminate()
        found.process.wait(30)
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
def test_serve_starts_all_restarts_what_dies_and_stops_them_all(serving: Serving) -> None:
    address = serving.address()
    base, token = address.split("/sign-in?token=")
    assert len(token) >= 43
    assert status(address) == 200
    before = serving.children()
    assert set(before) == {"web-1", "web-2", "engine", "worker"}
    starts = [_seconds_to_ready(before[name]) for name in ("web-1", "web-2")]
    for web in (before["web-1"], before["web-2"]):
        assert web.memory_info().rss < 150 * 1024**2
        assert not any("/torch/" in mapped.path for mapped in web.memory_maps())
    until(lambda: status(f"{base}/readyz") == 200)
    for process in before.values():
        process.kill()
    until(lambda: status(f"{base}/healthz") == 200)  # the same address: browsers and links stay good
    after = until(lambda: len(serving.children()) == 4 and serving.children())
    assert not {process.pid for process in after.values()} & {process.pid for process in before.values()}
    starts += [_seconds_to_ready(after[name]) for name in ("web-1", "web-2")]
    # On a busy machine a start costs more processor time than it needs, so the quickest of four counts.
    assert min(starts) < 2.0
    began = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(10) == 0
    assert time.monotonic() - began < 6
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in after.values())
    assert "Stopped." in serving.printed()


@pytest.mark.kill
def test_each_of_two_web_processes_serves_on_when_the_other_is_killed(serving: Serving) -> None:
    base = serving.address().partition("/sign-in")[0]
    before = serving.children()
    until(lambda: all(_accepts(before[name]) for name in ("web-1", "web-2")))
    for killed in ("web-1", "web-2"):
        before[killed].kill()
        assert [status(f"{base}/healthz") for _ in range(10)] == [200] * 10
        again = until(lambda name=killed: _started_again(serving, before[name], name))
        until(lambda process=again: _accepts(process))


def _started_again(serving: Serving, before: psutil.Process, name: str) -> psutil.Process | None:
    found = serving.children().get(name)
    return found if found is not None and found.pid != before.pid else None


def _seconds_to_ready(process: psutil.Process) -> float:
    """Processor seconds from its start until it waits for connections."""
    until(lambda: _accepts(process))
    return float(sum(process.cpu_times()[:2]))


def _accepts(process: psutil.Process) -> bool:
    """It waits for connections: it was started, imported everything and made its server."""
    return process.num_threads() > 4


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
    with listen("127.0.0.1", 0) as taken:
        port = port_of(taken)
        busy = Settings(home=settings.home, port=port)
        with pytest.raises(Busy, match=f"Port {port} .* in use; .*errata serve --port {port + 1}"):
            open_address(busy, may_choose=False)
        with open_address(busy, may_choose=True) as other:
            assert port_of(other) not in (0, port)
    with open_address(busy, may_choose=False) as free_again:
        assert port_of(free_again) == port


def test_an_address_of_another_machine_is_one_sentence(settings: Settings) -> None:
    elsewhere = Settings(home=settings.home, host="192.0.2.1", port=0, allow_public=True)
    with pytest.raises(Invalid, match=r"listen on 192\.0\.2\.1 .*ERRATA_HOST"):
        open_address(elsewhere, may_choose=True)


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


def test_the_web_lives_while_one_of_its_processes_does(app: Flask) -> None:
    assert [one.sentence for one in processes() if one.name == "web"] == [
        "The web is not running: pages cannot be opened."
    ]
    with write() as session:
        beat(session, "web-1")
        beat(session, "web-2")
    assert [(one.name, one.alive, one.sentence) for one in processes()[:2]] == [
        ("web-1", True, ""),
        ("web-2", True, ""),
    ]
    with write() as session:
        late = update(Process).where(Process.name == "web-1").values(heartbeat_at=now() - dt.timedelta(seconds=16))
        session.execute(late)
    dead, alive = processes()[:2]
    assert (dead.alive, alive.alive) == (False, True)
    assert dead.sentence == "The web-1 is not running: 1 of 2 serve the pages; log/web.log says why."
    with write() as session:
        session.execute(update(Process).values(heartbeat_at=now() - dt.timedelta(seconds=16)))
    assert [one.mend for one in processes() if one.name.startswith("web")] == ["errata serve"]


def test_a_start_with_fewer_web_processes_misses_none(app: Flask) -> None:
    app.config["ERRATA"] = Settings(home=app.config["ERRATA"].home, web_processes=2)
    with write() as session:
        for name in ("web-1", "web-2", "web-3", "web", "engine"):
            beat(session, name)
    forget_former(app)
    assert sorted(db.session.scalars(db.select(Process.name))) == ["engine", "web-1", "web-2"]


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
