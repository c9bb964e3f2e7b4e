"""Annotators who never think: how long does a decision take, from sending it to holding the next question?

    python benchmarks/annotate_load.py [--json] [--questions 10000] [--annotators 1 8 32]

Starts the web processes of this checkout on a free port with an ERRATA_HOME of its own and 10,000 questions, each with a stored
answer and five passages. Every annotator is a signed-in person with one keep-alive connection. One *request* is what the
annotate page sends for one decision: a POST of the whole form (CSRF token, submission number, version, answer, sometimes a
correction) that stores the label durably and answers with the next question's fragment, so it is both the submission and the
taking of the next question. Verdicts alternate (no skips: a skipped question goes to somebody else on purpose). Served twice counts questions that two requests handed out.
The client shares the machine's cores with the server; it speaks HTTP over plain sockets to take little of them.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import quote_plus, urlencode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

DOCUMENTS = 2_000
PASSAGES_SHOWN = 5
ROUNDS = {1: 200, 8: 60, 32: 30}
DECISIONS = (
    "accept",
    "correct",
    "accept",
    "wrong_answer",
    "correct",
    "unanswerable",
    "accept",
    "wrong_passage",
    "accept",
    "correct",
)
FIELD = re.compile(rb'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
QUESTION = re.compile(rb'action="(/p/\d+/annotate/(\d+))"')
SENTENCE = "The kitchen of house {n} closes at {hour} and its terrace seats {seats} people under old chestnut trees. "


@dataclass
class Seen:
    latencies_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    served: Counter[int] = field(default_factory=Counter)


def insert_rows(count: int) -> int:
    """A project with documents, passages, a release and answered questions, written directly. Returns its id."""
    from sqlalchemy import insert, update

    from webapp.db import write
    from webapp.models import Answer, AnswerPassage, Document, Passage, Project, Question, Release
    from webapp.projects.service import create_project

    with write() as session:
        project = create_project(session, "Load", task="qa", base="starter", embedder="minilm")
        release = Release(
            project_id=project.id, number=1, state="champion", answerer_path="", answerer_sha256="", embedder="minilm", sha256="",
            reason="for the load test",
        )  # fmt: skip
        session.add(release)
        session.flush()
        session.execute(update(Project).values(champion_id=release.id, settings={"train_after": 0, "blind": 0}))
        texts = [SENTENCE.format(n=n, hour=n % 24, seats=n % 90) * 5 for n in range(DOCUMENTS)]
        session.execute(insert(Document), [
            {"id": n + 1, "project_id": project.id, "title": f"House {n}", "text": text, "sha256": f"{n:064d}"}
            for n, text in enumerate(texts)
        ])  # fmt: skip
        session.execute(insert(Passage), [
            {"id": n + 1, "project_id": project.id, "document_id": n + 1, "position": 0, "start": 0, "end": len(text), "text": text}
            for n, text in enumerate(texts)
        ])  # fmt: skip
        session.execute(insert(Question), [
            {"id": n + 1, "project_id": project.id, "text": f"When does the kitchen of house {n} close?", "sha256": f"{n:064d}"}
            for n in range(count)
        ])  # fmt: skip
        session.execute(insert(Answer), [
            {"id": n + 1, "question_id": n + 1, "release_id": release.id, "text": "at nine", "answerable": True, "score": 0.7,
             "answerable_score": 0.7, "log_probability": -0.4, "best_text": "at nine", "passage_id": n % DOCUMENTS + 1, "start": 30,
             "end": 37, "prompt_version": "qa-1", "retrieval_s": 0.01, "answer_s": 0.1}
            for n in range(count)
        ])  # fmt: skip
        session.execute(insert(AnswerPassage), [
            {"answer_id": n + 1, "rank": rank, "passage_id": (n + 7 * rank) % DOCUMENTS + 1, "score": 1 / rank, "terms": ["kitchen", "house"]}
            for n in range(count) for rank in range(1, PASSAGES_SHOWN + 1)
        ])  # fmt: skip
        session.execute(update(Question).values(answer_id=Question.id))
        return int(project.id)


def prepare(home: Path, *, questions: int, people: int) -> tuple[int, list[str]]:
    """The project's id and a one-time sign-in token per annotator."""
    from webapp import create_base
    from webapp.db import write
    from webapp.migrate import upgrade_database
    from webapp.people.service import create_link, create_person
    from webapp.settings import Settings

    app = create_base(Settings(home=home))
    with app.app_context():
        upgrade_database()
        project_id = insert_rows(questions)
        with write() as session:
            tokens = [create_link(session, create_person(session, f"Annotator {n}")) for n in range(people)]
    return project_id, tokens


@contextlib.contextmanager
def web_processes(home: Path, count: int) -> Iterator[tuple[int, list[int]]]:
    """The web processes of ``errata serve`` on a free port, as its supervisor starts them; yields the port and their process ids."""
    from webapp.processes.address import listen, port_of
    from webapp.processes.supervisor import web_children
    from webapp.settings import Settings

    os.environ |= {"ERRATA_HOME": str(home), "PYTHONPATH": str(ROOT)}
    settings = Settings(home=home, web_processes=count)
    with listen(settings.host, 0) as listener:
        children = web_children(settings, listener)
        for child in children:
            child.start()
        processes = [child.process for child in children if child.process is not None]
        try:
            _wait_until_ready(processes, home, len(children))
            yield port_of(listener), [process.pid for process in processes]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(15)


def _wait_until_ready(processes: "list[subprocess.Popen[bytes]]", home: Path, count: int) -> None:
    """Until each has said that it lives."""
    for _ in range(1200):
        if any(process.poll() is not None for process in processes):
            raise SystemExit(f"A web process ended: {(home / 'log' / 'web.log').read_text()[-2000:]}")
        if _count(home, "SELECT count(*) FROM process") == count:
            return
        time.sleep(0.1)
    raise SystemExit("The web processes did not answer within two minutes.")


class Connection:
    """One keep-alive HTTP connection with the cookies of one browser."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, htmx: bool = False
    ) -> tuple[int, bytes]:
        body = urlencode(form, quote_via=quote_plus).encode() if form is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/x-www-form-urlencoded"] if form is not None else []
        lines += ["HX-Request: true", "HX-Target: annotate"] if htmx else []
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self._cookies.items()))
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        return await self._answer()

    async def _answer(self) -> tuple[int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        length = 0
        for line in lines:
            name, _, value = line.partition(": ")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "set-cookie":
                cookie, _, content = value.split(";")[0].partition("=")
                self._cookies[cookie] = content
        return int(first.split()[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


def fields_of(page: bytes) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in FIELD.findall(page)}


async def sign_in(port: int, token: str) -> Connection:
    connection = Connection(port)
    await connection.open()
    _, page = await connection.request("GET", f"/sign-in?token={token}")
    status, text = await connection.request("POST", "/sign-in", fields_of(page) | {"token": token})
    if status not in (303, 204):
        raise SystemExit(f"Signing in failed with {status}: {text[:300]!r}")
    return connection


async def annotate(connection: Connection, project_id: int, *, rounds: int, seen: Seen) -> None:
    """Take a question, then decide ``rounds`` times, each answer bringing the next one."""
    _, page = await connection.request("GET", f"/p/{project_id}/annotate")
    token = fields_of(page)["csrf_token"]
    _, page = await connection.request("POST", f"/p/{project_id}/annotate/next", {"csrf_token": token}, htmx=True)
    for number in range(rounds):
        found = QUESTION.search(page)
        if found is None:
            seen.errors.append(f"no question in {page[:200]!r}")
            return
        seen.served[int(found[2])] += 1
        decision = DECISIONS[number % len(DECISIONS)]
        form = fields_of(page) | {"decision": decision, "text": f"at {number} o'clock", "reason": ""}
        began = time.perf_counter()
        status, page = await connection.request("POST", found[1].decode(), form, htmx=True)
        seen.latencies_s.append(time.perf_counter() - began)
        if status != 200:
            seen.errors.append(f"status {status}: {page[:300]!r}")
            return


async def run(port: int, project_id: int, tokens: list[str], *, rounds: int) -> Seen:
    connections = [await sign_in(port, token) for token in tokens]
    seen = Seen()
    await asyncio.gather(*(annotate(connection, project_id, rounds=rounds, seen=seen) for connection in connections))
    for connection in connections:
        connection.close()
    return seen


def processor_s(pids: list[int]) -> list[float]:
    """The processor time each process has used so far (Linux only; 0 elsewhere): other work on the machine does not lengthen it."""
    used = []
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return [0.0 for _ in pids]
        used.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return used


def figures(seen: Seen, annotators: int) -> dict[str, Any]:
    cuts = quantiles(seen.latencies_s, n=100, method="inclusive") if len(seen.latencies_s) > 1 else [0.0] * 99
    return {
        "annotators": annotators, "rounds": len(seen.latencies_s), "p50_ms": round(1000 * cuts[49], 1), "p95_ms": round(1000 * cuts[94], 1),
        "errors": len(seen.errors), "served_twice": sum(count > 1 for count in seen.served.values()),
    }  # fmt: skip


def stored_labels(home: Path) -> int:
    return _count(home, "SELECT count(*) FROM label")


def _count(home: Path, query: str) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(home / "errata.sqlite3")) as connection:
        return int(connection.execute(query).fetchone()[0])


def measure(home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    project_id, tokens = prepare(home, questions=options.questions, people=sum(options.annotators))
    runs = []
    with web_processes(home, options.processes) as (port, pids):
        for annotators in options.annotators:
            mine, tokens = tokens[:annotators], tokens[annotators:]
            rounds = options.rounds or ROUNDS.get(annotators, max(20, 1000 // annotators))
            before = processor_s(pids)
            seen = asyncio.run(run(port, project_id, mine, rounds=rounds))
            used_s = [after - earlier for after, earlier in zip(processor_s(pids), before, strict=True)]
            per_decision = {
                "server_cpu_ms": round(1000 * sum(used_s) / max(1, len(seen.latencies_s)), 2),
                "cpu_s": used_s,
            }
            runs.append(figures(seen, annotators) | per_decision)
            if not options.json:
                print(runs[-1])
            for error in seen.errors[:3]:
                print(error, file=sys.stderr)
    sent = sum(one["rounds"] - one["errors"] for one in runs)
    if stored_labels(home) != sent:
        raise SystemExit(f"{sent} decisions were acknowledged and {stored_labels(home)} labels are stored.")
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--annotators", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument(
        "--processes", type=int, default=0, help="web processes; 0 takes as many as `errata serve` does"
    )
    parser.add_argument("--rounds", type=int, help="decisions per annotator")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("ERRATA_")]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="errata-load-"))
    try:
        runs = measure(home, options)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"runs": runs}) if options.json else "All labels that were acknowledged are stored.")


if __name__ == "__main__":
    main()
