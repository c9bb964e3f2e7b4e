"""Freezing: the rows of now, written once as an artefact, fingerprinted, and named row by row in the database."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, true
from sqlalchemy.orm import Session

from training.artefact import DamagedArtefact, verify, writing
from training.safety import resolve_base
from training.split import split_of
from training.tasks import get_task
from training.types import Gold
from webapp import home
from webapp.datasets.examples import Evaluation
from webapp.datasets.files import (
    evaluation_to_json,
    example_to_json,
    fingerprint_of,
    preference_to_json,
    reject_to_json,
    write_lines,
)  # fmt: skip
from webapp.datasets.rehearsal import choose_rehearsal, read_rehearsal
from webapp.datasets.service import Built, build_examples, count_kinds
from webapp.db import write
from webapp.models import Answer, AnswerPassage, Dataset, DatasetLabel, Passage, Project, Question, db

EVALUATION_AT_MOST = {"validation": 200, "test": 500}  # questions; more would cost an iteration more than they tell
SPLIT_RULE = "by hash of the question's text, so that no question is both learned from and tested on"


def freeze(project: Project, *, seed: int = 0, guard: Callable[[Session], None] = lambda _session: None) -> Dataset:
    """The dataset of the labels as they are now. The same labels give the same fingerprint and the same dataset row.

    ``guard`` is asked before the row is written: a job refuses there when its lease is lost.
    Raises ``Damaged`` when the base's starting data cannot be read.
    """
    built = build_examples(project)
    files, counts = _rows(project, built)
    fingerprint = fingerprint_of(*files.values())
    found = _find_whole(project.id, fingerprint)
    if found is not None:
        return found
    place = home.new_artefact_path(project.id, "dataset")
    about = {"fingerprint": fingerprint, "counts": counts, "seed": seed, "task": project.task, "base": project.base}
    with writing(place, kind="dataset", about=about) as folder:
        for name, lines in files.items():
            write_lines(folder / f"{name}.jsonl", lines)
        _write_summary(folder, built, {**about, "prompt_version": get_task(project.task).PROMPT_VERSION})
    with write() as session:
        guard(session)
        dataset = Dataset(project_id=project.id, path=home.relative(place), fingerprint=fingerprint, counts=counts)
        session.add(dataset)
        session.flush()
        links = [
            {"dataset_id": dataset.id, "label_id": use.label, "split": use.split, "kind": use.kind}
            for use in built.uses()
        ]
        if links:
            session.execute(insert(DatasetLabel), links)
    return dataset


def _rows(project: Project, built: Built) -> tuple[dict[str, list[dict[str, Any]]], dict[str, int]]:
    gold = _gold_rows(project)
    evaluation = {
        "validation": _merge(gold["validation"], built.validation, EVALUATION_AT_MOST["validation"]),
        "test": _merge(gold["test"], built.test, EVALUATION_AT_MOST["test"]),
    }
    taken = {row.gold.text for rows in evaluation.values() for row in rows}
    base = resolve_base(project.base, home.model_cache())
    rehearsal, rehearsal_validation = choose_rehearsal(
        read_rehearsal(base), len(built.train), len(evaluation["validation"]), taken=taken
    )
    evaluation["validation"] += rehearsal_validation
    files = {
        "train": [example_to_json(example) for example in (*built.train, *rehearsal)],
        **{split: [evaluation_to_json(row) for row in rows] for split, rows in evaluation.items()},
        "preferences": [preference_to_json(preference, split) for split, preference in built.preferences],
        "rejects": [reject_to_json(example, split) for split, example in built.rejects],
        "triples": [asdict(found.triple) for found in built.triples],
    }
    counts = count_kinds(built.decided, built.triples, built.left_out) | {
        name: len(rows) for name, rows in files.items()
    }
    return files, counts | {"rehearsal": len(rehearsal), "gold": sum(len(rows) for rows in gold.values())}


def _merge(gold: Sequence[Evaluation], labelled: Sequence[Evaluation], at_most: int) -> list[Evaluation]:
    """Labelled questions first, then imported gold ones; where a question has both, the imported answers are kept."""
    golden = {row.question: row for row in gold}
    merged = [golden.pop(row.question, row) for row in labelled]
    return [*merged, *golden.values()][:at_most]


def _gold_rows(project: Project) -> dict[str, list[Evaluation]]:
    """Imported questions with known answers that fall into validation or test; asked about their own context, if they have one."""
    statement = select(Question.id, Question.text, Question.gold, Question.answer_id).where(
        Question.project_id == project.id, Question.gold.is_not(None)
    )
    found: dict[str, list[Evaluation]] = {"validation": [], "test": []}
    for question, text, gold, answer in db.session.execute(statement.order_by(Question.id)):
        split = split_of(text)
        if split not in found or len(found[split]) >= EVALUATION_AT_MOST[split]:
            continue
        passages = (gold["context"],) if gold.get("context") else _shown_texts(answer)
        if passages or not get_task(project.task).USES_PASSAGES:
            found[split].append(Evaluation(Gold(str(question), text, passages, gold_answers(gold)), "gold", question))
    return found


def has_gold(project: Project, split: str, *, labelled: Collection[int]) -> bool:
    """Whether imported questions would judge in ``split`` beside the ``labelled`` ones. It reads no text but the questions' own, and stops
    at the first."""
    if len(labelled) >= EVALUATION_AT_MOST[split]:
        return False
    has_context = func.coalesce(Question.gold["context"].as_string(), "") != ""
    was_shown = select(AnswerPassage.answer_id).where(AnswerPassage.answer_id == Question.answer_id).exists()
    is_asked = has_context | was_shown if get_task(project.task).USES_PASSAGES else true()
    statement = select(Question.id, Question.text).where(
        Question.project_id == project.id, Question.gold.is_not(None), is_asked
    )
    with db.session.execute(statement.execution_options(yield_per=100)) as rows:
        return any(split_of(text) == split and question not in labelled for question, text in rows)


def gold_answers(gold: dict[str, Any]) -> tuple[str, ...]:
    """The acceptable answers of an imported row, given as strings or as ``{"text", "start"}``; none when it is impossible."""
    if gold.get("is_impossible"):
        return ()
    texts = (answer["text"] if isinstance(answer, dict) else str(answer) for answer in gold.get("answers") or ())
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _shown_texts(answer_id: int | None) -> tuple[str, ...]:
    if answer_id is None:
        return ()
    statement = (
        select(Passage.text).join(AnswerPassage, AnswerPassage.passage_id == Passage.id).join(Answer, Answer.id == AnswerPassage.answer_id)
        .where(AnswerPassage.answer_id == answer_id).order_by(AnswerPassage.rank)
    )  # fmt: skip
    return tuple(db.session.scalars(statement))


def _write_summary(folder: Path, built: Built, about: dict[str, Any]) -> None:
    summary = {
        **about,
        "split_rule": SPLIT_RULE,
        "labels": [asdict(use) for use in built.uses()],
        "left_out": [{"label": out.label, "kind": out.kind, "reason": out.reason} for out in built.left_out],
    }
    (folder / "dataset.json").write_text(
        json.dumps(summary, indent=1, ensure_ascii=False, sort_keys=True), encoding="utf-8"
    )


def _find_whole(project_id: int, fingerprint: str) -> Dataset | None:
    statement = (
        select(Dataset)
        .where(Dataset.project_id == project_id, Dataset.fingerprint == fingerprint)
        .order_by(Dataset.id.desc())
    )
    for dataset in db.session.scalars(statement):
        try:
            verify(home.absolute(dataset.path), kind="dataset")
        except DamagedArtefact:
            continue  # the same rows are written again instead
        return dataset
    return None
