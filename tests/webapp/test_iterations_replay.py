"""Gold rows play the annotator, and a replay goes on where it stopped."""

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.webapp import toy_loop
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations.replay import Plan, replay
from webapp.models import Iteration, Label, Person, Question, db
from webapp.projects import settings as project_settings


def gold_file(path: Path, questions: list[str]) -> Path:
    rows = []
    for question in questions:
        name, answer = question.split()[2], toy_loop.right_answers()[question]
        context = f"{name} lives in {answer} ."
        rows.append({"id": question, "question": question, "context": context, "is_impossible": False,
                     "answers": [{"text": answer, "start": context.index(answer)}]})  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("strategy", ["random", "uncertain"])
def test_each_round_labels_trains_and_measures_and_is_not_played_twice(app: Flask, tmp_path: Path, strategy: str):
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    questions = list(toy_loop.right_answers())
    gold, test = gold_file(tmp_path / "gold.jsonl", questions[:20]), gold_file(tmp_path / "test.jsonl", questions[20:])
    first = replay(project, Plan(gold, test, 1, 9, strategy=strategy, seed=1), lambda *_: None)
    assert [one["labels"] for one in first] == [9]
    assert first[0]["decision"] in ("promote", "hold"), first[0]
    assert "f1" in first[0]["metrics"]
    labels = db.session.scalars(
        select(Label).join(Person, Person.id == Label.person_id).where(Person.name == "replay")
    ).all()
    by_question = {row.id: row.text for row in db.session.scalars(select(Question))}
    assert "correct" in {label.verdict for label in labels}  # an untrained model is right by chance only
    for label in labels:  # the right passage was shown, so nothing is rejected
        right = toy_loop.right_answers()[by_question[label.question_id]]
        given = label.text.strip(" .") if label.verdict == "accept" else label.text
        assert (label.verdict in ("accept", "correct"), given) == (True, right)

    both = replay(project, Plan(gold, test, 2, 9, strategy=strategy, seed=1), lambda *_: None)
    assert both[0] == first[0]
    assert [one["labels"] for one in both] == [9, 18]
    assert db.session.scalar(select(func.count()).select_from(Iteration)) == 2


def test_it_refuses_an_unknown_strategy_before_it_labels_anything(app: Flask, tmp_path: Path):
    project = toy_loop.make_project(tmp_path / "toy")
    gold = gold_file(tmp_path / "gold.jsonl", list(toy_loop.right_answers())[:3])
    with pytest.raises(Invalid, match="random, uncertain"):
        replay(project, Plan(gold, gold, 1, 9, strategy="best", seed=1), lambda *_: None)
    assert db.session.scalar(select(func.count()).select_from(Label)) == 0
