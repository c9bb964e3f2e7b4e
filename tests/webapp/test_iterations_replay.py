"""Gold rows play the annotator, and a replay goes on where it stopped."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, select

from retriever.types import Hit
from tests.webapp import toy_loop
from tests.webapp.queue_rows import set_project
from training.tasks import get_task
from training.types import Prediction, QuestionRow, TrainingError
from webapp import home
from webapp.cli.learning import replay as replay_command
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import replay as replaying
from webapp.iterations.replay import Plan, replay
from webapp.iterations.replay_curve import draw, line_of
from webapp.iterations.replay_player import Pool, decide
from webapp.models import Iteration, Label, Person, Question, db
from webapp.projects import settings as project_settings
from webapp.releases.serving import Answered
from webapp.settings import Settings


def gold_file(path: Path, questions: list[str]) -> Path:
    rows = []
    for question in questions:
        name, answer = question.split()[2], toy_loop.right_answers()[question]
        context = f"{name} lives in {answer} ."
        rows.append({"id": question, "question": question, "context": context, "is_impossible": False,
                     "answers": [{"text": answer, "start": context.index(answer)}]})  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("strategy", ["random", "uncertain_diverse"])
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

    for name, value in (("epochs", 0.3), ("warm_up", "on"), ("learn_retriever", "off"), ("method", "lora")):
        before = getattr(project_settings.read(project), name)
        set_project(project, **{name: value})
        with pytest.raises(Invalid, match="play into a project of its own"):  # finished rounds are of other settings
            replay(project, Plan(gold, test, 2, 9, strategy=strategy, seed=1), lambda *_: None)
        set_project(project, **{name: before})
    set_project(project, blind=0.5)
    assert replay(project, Plan(gold, test, 2, 9, strategy=strategy, seed=1), lambda *_: None) == both


def test_it_refuses_an_unknown_strategy_before_it_labels_anything(app: Flask, tmp_path: Path):
    project = toy_loop.make_project(tmp_path / "toy")
    gold = gold_file(tmp_path / "gold.jsonl", list(toy_loop.right_answers())[:3])
    with pytest.raises(Invalid, match=r"random, uncertain, .*, not 'best'"):
        replay(project, Plan(gold, gold, 1, 9, strategy="best", seed=1), lambda *_: None)
    assert db.session.scalar(select(func.count()).select_from(Label)) == 0


def test_the_player_rejects_the_passage_where_no_right_one_was_retrieved_and_says_unanswerable(
    app: Flask, tmp_path: Path
):
    project = toy_loop.make_project(tmp_path / "toy")
    name = "Zem is one bird . Her name was Tolo all along ."
    tolo = {"context": name, "is_impossible": False, "answers": [{"text": "Tolo", "start": name.index("Tolo")}]}
    rows = [
        {"id": "1", "question": "Which bird sings ?", "context": "Qix sings at Ruvo .", "is_impossible": True, "answers": []},
        {"id": "2", "question": "Qix sings at Ruvo ?", **tolo},  # finds the other passage
        {"id": "3", "question": "Zem is one bird . Her name was ?", **tolo},
    ]  # fmt: skip
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    replay(project, Plan(gold, gold, 1, 3, strategy="newest", seed=0), lambda *_: None)
    found = db.session.scalars(select(Label).join(Person, Person.id == Label.person_id).where(Person.name == "replay"))
    decided = {db.session.get_one(Question, label.question_id).text: label for label in found}
    first, second, third = (decided[str(row["question"])] for row in rows)
    assert first.answer is not None
    assert third.answer is not None
    assert (first.reject_reason or first.verdict) == ("unanswerable" if first.answer.answerable else "accept")
    assert second.reject_reason == "wrong_passage"
    assert third.verdict == ("accept" if third.answer.text.strip(" .") == "Tolo" else "correct")
    assert third.text.strip(" .") == "Tolo"


GOLD = "one two three four five six seven eight nine ten eleven twelve"


@pytest.mark.parametrize(
    ("said", "found", "expected"),
    [
        (GOLD.removesuffix(" twelve"), 7, "accept"),  # F1 0.96
        (GOLD.removesuffix(" ten eleven twelve"), 7, "correct"),  # F1 0.86
        (GOLD.removesuffix(" ten eleven twelve"), 8, "wrong_passage"),
    ],
)
def test_the_player_accepts_at_nine_tenths_and_judges_the_passage_below_it(said: str, found: int, expected: str):
    row = QuestionRow("1", "Which numbers?", GOLD, ((GOLD, 0),))
    pool = Pool({"sha": row}, {"sha": {7}}, Person(id=3))
    prediction = Prediction(said, True, 0.5, 0.5, -1.0, said, passage=0)
    answered = Answered((Hit(found, 1, 0.5, 0.5, None, ()),), prediction, 0.0, 0.0)
    decided = decide(Question(id=2, sha256="sha"), 4, answered, pool, get_task("qa"))
    assert (decided.reject_reason or decided.verdict, decided.answer_id) == (expected, 4)
    assert (decided.text, decided.passage_id) == ((GOLD, 7) if expected == "correct" else ("", None))


def marks_file(path: Path, questions: list[str], *, rounds: int) -> Path:
    rows = []
    for number, question in enumerate(questions):
        name, answer = question.split()[2], toy_loop.right_answers()[question]
        is_right = number % 5 != 0
        rows.append({"round": number % rounds + 1, "question": question, "context": f"{name} lives in {answer} .",
                     "prediction": answer if is_right else "lives", "feedback": "Correct" if is_right else "Wrong"})  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_marks_that_people_gave_are_played_in_their_own_rounds(app: Flask, tmp_path: Path):
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    questions = list(toy_loop.right_answers())
    marks = marks_file(tmp_path / "marks.jsonl", questions[:22], rounds=2)
    test = gold_file(tmp_path / "test.jsonl", questions[22:])
    played = replay(project, Plan(marks, test, 5, 50, strategy="random", seed=3), lambda *_: None)
    assert [(one["round"], one["labels"], one["refused"]) for one in played] == [(1, 11, 0), (2, 22, 0)]
    assert {one["decision"] for one in played} <= {"promote", "hold", "ask"}, played
    assert {one.seed for one in db.session.scalars(select(Iteration))} == {3}
    weights = db.session.scalars(select(Label.weight).where(Label.project_id == project.id)).all()
    assert (weights.count(1.0), weights.count(-0.1)) == (17, 5)


def test_a_round_whose_training_was_done_before_an_interruption_is_not_trained_again(app: Flask, tmp_path: Path):
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    questions = list(toy_loop.right_answers())
    gold, test = gold_file(tmp_path / "gold.jsonl", questions[:20]), gold_file(tmp_path / "test.jsonl", questions[20:])
    plan = Plan(gold, test, 1, 9, strategy="random", seed=1)
    [first] = replay(project, plan, lambda *_: None)
    (home.project_folder(project.id) / f"replay-{plan.key(project)}.json").unlink()
    [again] = replay(project, plan, lambda *_: None)
    assert (again["labels"], again["release"], again["metrics"]) == (9, first["release"], first["metrics"])
    assert db.session.scalar(select(func.count()).select_from(Iteration)) == 1


def test_another_plan_is_refused_as_soon_as_the_first_has_begun(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def cut(*_: object, **__: object) -> None:
        raise OSError("cut in round 1")

    project = toy_loop.make_project(tmp_path / "toy")
    questions = list(toy_loop.right_answers())
    gold, test = gold_file(tmp_path / "gold.jsonl", questions[:20]), gold_file(tmp_path / "test.jsonl", questions[20:])
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(TrainingError, match="neither SQuAD"):  # so nothing was begun, nothing is in the next one's way
        replay(project, Plan(tmp_path / "empty.jsonl", test, 1, 9, strategy="random", seed=1), lambda *_: None)
    plan = Plan(gold, test, 1, 9, strategy="random", seed=1)
    monkeypatch.setattr(replaying, "_train", cut)
    with pytest.raises(OSError, match="cut in round 1"):
        replay(project, plan, lambda *_: None)
    before = db.session.scalar(select(func.count()).select_from(Label))
    assert before == 9
    for other in (replace(plan, seed=2), replace(plan, per_round=10)):
        with pytest.raises(Invalid, match="play into a project of its own"):
            replay(project, other, lambda *_: None)
    assert db.session.scalar(select(func.count()).select_from(Label)) == before
    with pytest.raises(OSError, match="cut in round 1"):  # the same plan goes on
        replay(project, plan, lambda *_: None)


CURVE = {"project": "A <b>", "strategy": "random", "seed": 1,
         "rounds": [{"labels": 50, "metrics": {"span_f1": 0.25}}, {"labels": 100, "metrics": {"span_f1": 0.5}}]}  # fmt: skip


def test_a_picture_has_a_line_for_each_replay_and_says_what_its_axes_are():
    picture = draw([line_of(CURVE), line_of({**CURVE, "seed": 2})])
    root = ElementTree.fromstring(picture)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Labels", "A <b>: random, seed 1", "A <b>: random, seed 2"} <= set(texts)
    assert "F1 of the best answer, answerable questions (%)" in texts
    assert "F1 over all questions (%)" not in texts  # nobody measured it
    heights = [float(node.attrib["cy"]) for node in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(heights) == 4
    assert heights[1] < heights[0]  # better is higher


def test_the_command_draws_the_curve_beside_others(app: Flask, tmp_path: Path, settings: Settings):
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    questions = list(toy_loop.right_answers())
    gold, test = gold_file(tmp_path / "gold.jsonl", questions[:20]), gold_file(tmp_path / "test.jsonl", questions[20:])
    (tmp_path / "other.json").write_text(json.dumps(CURVE), encoding="utf-8")
    command = [project.name, "--gold", str(gold), "--test", str(test), "--rounds", "1", "--per-round", "9", "--json",
               "--picture", str(tmp_path / "curve.svg"), "--beside", str(tmp_path / "other.json")]  # fmt: skip
    result = CliRunner().invoke(
        replay_command, command, env={"ERRATA_HOME": str(settings.home)}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert (printed["strategy"], printed["seed"], printed["rounds"][0]["labels"]) == ("random", 0, 9)
    drawn = (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert "People: random, seed 0" in drawn
    assert "A &lt;b&gt;: random, seed 1" in drawn


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(["--picture", "curve.png"], "ends in .svg"), (["--beside", "test.jsonl"], "cannot be drawn")],
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_trained(
    app: Flask, tmp_path: Path, options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    gold_file(tmp_path / "test.jsonl", list(toy_loop.right_answers())[:2])
    command = ["People", "--gold", "test.jsonl", "--test", "test.jsonl", *options]
    result = CliRunner().invoke(replay_command, command)
    assert (result.exit_code, sentence in result.output) == (2, True)
