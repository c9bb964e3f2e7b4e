"""Gold rows, or marks that people gave, play the annotator round by round, and each round trains an iteration.

The project gets the gold rows' contexts as documents and their questions without answers, so that nothing is known that was not
labelled; ``replay_player.py`` decides. Real feedback is imported round by round instead (``replay_feedback.py``). Finished rounds are
kept in the project's folder, from before the first label: the same command again goes on where it stopped, and another is refused.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from training.tasks import Task, get_task
from training.types import QuestionRow, Report
from webapp import home
from webapp.corpus.importing import import_file
from webapp.corpus.index import is_out_of_date, update_index
from webapp.corpus.questions import clean_question, question_sha256
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import replay_feedback, service
from webapp.iterations.evaluation import corpus_passages, evaluate_release, read_gold
from webapp.iterations.relevance import Sought, relevant_passages
from webapp.iterations.replay_player import Pool, find_player, label_more
from webapp.jobs.run import wait
from webapp.label import service as label_service
from webapp.label.feedback import PERSON
from webapp.models import ACTIVE_JOB_STATES, Iteration, Job, Label, Person, Project, Release, db
from webapp.projects.settings import STRATEGIES, read
from webapp.releases.service import champion_of
from webapp.releases.serving import describe, load_release

# The plan has its own strategy and seed, and the player neither waits, nor is led, nor starts an iteration by itself.
MOVES_NOTHING = ("train_after", "lease_s", "blind", "effects", "strategy", "seed")

Labelling = Callable[[int], dict[str, Any]]
"""Gives a round its labels, if it has not all of them yet; what it returns is added to the round's result."""


@dataclass(frozen=True)
class Plan:
    gold: Path
    test: Path
    rounds: int
    per_round: int
    strategy: str
    seed: int

    def key(self, project: Project) -> str:
        """The same for whatever gives the same rounds: the plan but for their number, and the settings that training obeys."""
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.gold, self.test)]
        settings = {name: value for name, value in asdict(read(project)).items() if name not in MOVES_NOTHING}
        played = (files, self.per_round, self.strategy, self.seed, sorted(settings.items()))
        return hashlib.sha256(repr(played).encode()).hexdigest()[:16]


def replay(project: Project, plan: Plan, report: Report) -> list[dict[str, Any]]:
    """``{round, labels, release, decision, metrics, seconds}`` per round. Raises ``Invalid`` for files or a plan that cannot be played."""
    if plan.strategy not in STRATEGIES:
        raise Invalid(f"The strategy is one of {', '.join(STRATEGIES)}, not {plan.strategy!r}.")
    task = get_task(project.task)
    read_gold(task, plan.test, [])  # refused now rather than after the first training
    done_path = _place(project, plan)
    is_feedback = replay_feedback.is_feedback(plan.gold)
    rounds, label = _play_feedback(project, plan, report) if is_feedback else _play_gold(project, plan, task, report)
    done: list[dict[str, Any]] = json.loads(done_path.read_text())
    for number in range(len(done) + 1, rounds + 1):
        report((number - 1) / rounds, f"Round {number} of {rounds}")
        done.append(_round(project, plan, number, label))
        _keep(done_path, done)
    return done[:rounds]


def _place(project: Project, plan: Plan) -> Path:
    """Where the finished rounds are kept. Raises ``Invalid`` when those of another replay are there: its labels are, too, or may be."""
    folder = home.project_folder(project.id)
    place = folder / f"replay-{plan.key(project)}.json"
    if not place.exists() and any(folder.glob("replay-*.json")):
        raise Invalid(
            f"Another replay was begun in {project.name}: with other files, another plan or other project settings. What it put there "
            "is there still, so this one would not begin at nothing; play into a project of its own, or set back what was changed."
        )
    return place


def _begin(project: Project, plan: Plan) -> None:
    """Its file is there before anything of it goes into the project, so that one cut in its first round is told apart as well."""
    place = _place(project, plan)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        _keep(place, [])


def _keep(path: Path, done: list[dict[str, Any]]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(done), encoding="utf-8")
    temporary.replace(path)


def _play_gold(project: Project, plan: Plan, task: Task, report: Report) -> tuple[int, Labelling]:
    rows: dict[str, QuestionRow] = {}
    for row in read_gold(task, plan.gold, []):
        rows.setdefault(question_sha256(clean_question(row.question)), row)
    _begin(project, plan)
    _prepare(project, list(rows.values()), report)
    sought = [
        Sought(sha, row.context, tuple(text for text, _ in row.answers)) for sha, row in rows.items() if row.answers
    ]
    pool = Pool(rows, relevant_passages(sought, corpus_passages(project)), find_player())

    def label(number: int) -> dict[str, Any]:
        missing = number * plan.per_round - _count_labels(project, pool.player.name)
        if missing > 0:
            loaded = load_release(describe(_champion(project)))
            label_more(project, pool, loaded, missing, strategy=plan.strategy, seed=plan.seed)
        return {"labels": _count_labels(project, pool.player.name)}

    return plan.rounds, label


def _play_feedback(project: Project, plan: Plan, report: Report) -> tuple[int, Labelling]:
    portions = replay_feedback.read_rounds(plan.gold, plan.per_round)
    _begin(project, plan)

    def label(number: int) -> dict[str, Any]:
        result = replay_feedback.label_round(project, portions[number - 1])
        if is_out_of_date(project):
            update_index(project, report=report)
        return {"labels": _count_labels(project, PERSON), "refused": len(result.rejected)}

    return min(plan.rounds, len(portions)), label


def _prepare(project: Project, rows: Sequence[QuestionRow], report: Report) -> None:
    folder = home.project_folder(project.id)
    folder.mkdir(parents=True, exist_ok=True)
    documents = [{"title": row.title, "text": row.context} for row in {row.context: row for row in rows}.values()]
    for kind, lines in (("documents", documents), ("questions", [{"question": row.question} for row in rows])):
        path = folder / f"replay-{uuid.uuid4().hex}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        try:
            import_file(path, project=project, kind=kind)
        finally:
            path.unlink()
    if is_out_of_date(project):
        update_index(project, report=report)


def _round(project: Project, plan: Plan, number: int, label: Labelling) -> dict[str, Any]:
    began = time.monotonic()
    db.session.expire_all()
    labelled = label(number)
    decision = _train(project, plan, number)
    db.session.expire_all()
    _champion(project)
    evaluated = evaluate_release(project, plan.test, mode="given", number=None, report=lambda *_: None)
    return {
        "round": number, **labelled, "release": evaluated.release, "decision": decision, "metrics": evaluated.metrics,
        "seconds": time.monotonic() - began,
    }  # fmt: skip


def _champion(project: Project) -> Release:
    champion = champion_of(project)
    if champion is None:
        raise Invalid(
            f'{project.name} has no release to start from; build the index first: `errata index "{project.name}"`.'
        )
    return champion


def _count_labels(project: Project, player: str) -> int:
    statement = (
        label_service.current_labels(project.id).join(Person, Person.id == Label.person_id)
        .where(Person.name == player).with_only_columns(Label.id)
    )  # fmt: skip
    return len(db.session.scalars(statement).all())


def _train(project: Project, plan: Plan, number: int) -> str:
    reason = f"Replay {plan.key(project)}, round {number}."
    try:
        job_id = _iteration_of(project, reason) or _start(project, plan, reason)
    except Invalid as error:
        return f"not trained: {error}"
    job = wait(job_id)
    if job.state != "succeeded":
        return f"{job.state}: {job.error}"
    return str((job.result or {})["gate"]["decision"])


def _iteration_of(project: Project, reason: str) -> int | None:
    """The job of this round's iteration when an interrupted replay has started it already, unless it came to nothing."""
    statement = (
        select(Iteration).join(Job, Job.id == Iteration.job_id)
        .where(Iteration.project_id == project.id, Job.state.in_(("succeeded", *ACTIVE_JOB_STATES)))
    )  # fmt: skip
    found = [one.job_id for one in db.session.scalars(statement) if one.config.get("reason") == reason]
    return found[-1] if found else None


def _start(project: Project, plan: Plan, reason: str) -> int:
    """An iteration that trains with the replay's own seed."""
    with write() as session:
        iteration = service.start(session, project, person=None, reason=reason)
        iteration.seed = plan.seed
        iteration.config = {**iteration.config, "fit": {**iteration.config["fit"], "seed": plan.seed}}
        return iteration.job_id
