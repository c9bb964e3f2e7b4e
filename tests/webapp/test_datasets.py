"""Labels become rows in one place; a frozen dataset is whole, fingerprinted and leaks nothing; the page shows the exact rows."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.webapp.labelled import CASES, LUNA, Labelled, decide, make_labelled, make_question
from training.artefact import DamagedArtefact, verify
from training.split import split_of
from webapp import home
from webapp.datasets import freeze as freezing
from webapp.datasets.examples import locate
from webapp.datasets.files import read_evaluation, read_train
from webapp.datasets.rehearsal import choose_rehearsal, read_rehearsal
from webapp.datasets.service import build_examples
from webapp.db import write
from webapp.errors import Damaged
from webapp.models import DatasetLabel, Document, Person, Project, Question, db, now


@pytest.fixture
def labelled(app: Flask, project: Project, person: Person) -> Labelled:
    return make_labelled(project, person)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the base model, as far as a dataset needs one."""
    folder = tmp_path / "base"
    folder.mkdir()
    monkeypatch.setattr(freezing, "resolve_base", lambda *_: folder)
    return folder


def more_labels(labelled: Labelled, count: int) -> None:
    for i in range(count):
        question = make_question(
            labelled.project, f"Is number {i} at Bistro Luna cards?", labelled.release, (labelled.luna, labelled.sol)
        )
        decide(question, labelled.person, "accept")


def test_a_correction_is_learned_with_its_passage_and_the_place_of_the_answer(labelled: Labelled):
    built = build_examples(labelled.project)
    row = next(row for row in built.decided.rows if row.label == labelled.by_verdict["correct"])
    examples = {example.label: example for example in built.train}
    if row.split == "train":
        example = examples[row.label]
        assert example.passage == LUNA
        assert example.passage[example.target.start :].startswith("=9 am")
    assert {row.kind for row in built.decided.rows} == {"accept", "correct", "negative"}


def test_a_correction_without_a_passage_goes_with_the_shown_passage_that_holds_it(labelled: Labelled):
    text = next(text for text in (f"When opens the Bistro on day {i}?" for i in range(20)) if split_of(text) == "train")
    question = make_question(labelled.project, text, labelled.release, (labelled.luna, labelled.sol))
    label = decide(question, labelled.person, "correct", text="=9 am")  # the model had read the other passage
    [example] = [example for example in build_examples(labelled.project).train if example.label == label]
    assert example.passage == LUNA


def test_a_label_whose_document_was_deleted_still_teaches(labelled: Labelled):
    before = len(build_examples(labelled.project).train)
    with write() as session:
        session.get_one(Document, labelled.luna.document_id).deleted_at = now()
    assert len(build_examples(labelled.project).train) == before


@pytest.mark.parametrize(
    ("text", "passage", "start", "found"),
    [
        ("no", "Nobody says no here.", None, 12), ("Rome", "in rome", None, 3), ("a", "b", None, None),
        ("x", "x and x", 6, 6), ("x", "x and x", 3, 0), ("", "x", None, None),
    ],
)  # fmt: skip
def test_an_answer_is_located_as_a_whole_word(text: str, passage: str, start: int | None, found: int | None):
    assert locate(text, passage, start) == found


def test_a_frozen_dataset_holds_no_question_in_two_splits(labelled: Labelled, base: Path):
    more_labels(labelled, 40)
    dataset = freezing.freeze(labelled.project)
    folder = home.absolute(dataset.path)
    verify(folder, kind="dataset")
    train = {example.text for example in read_train(folder)}
    validation = {row.gold.text for row in read_evaluation(folder, "validation")}
    test = {row.gold.text for row in read_evaluation(folder, "test")}
    assert train
    assert validation
    assert test
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert {split_of(text) for text in test} == {"test"}


def test_every_used_label_is_named_with_its_split_and_kind(labelled: Labelled, base: Path):
    dataset = freezing.freeze(labelled.project)
    links = db.session.scalars(select(DatasetLabel).where(DatasetLabel.dataset_id == dataset.id)).all()
    used = {link.label_id: (link.kind, link.split) for link in links}
    assert set(used) == {labelled.by_verdict[name] for name in ("correct", "accept", "wrong_passage", "unanswerable")}
    assert used[labelled.by_verdict["correct"]] == ("correct", split_of(CASES["correct"]))
    summary = json.loads((home.absolute(dataset.path) / "dataset.json").read_text())
    assert {row["label"] for row in summary["left_out"]} == {
        labelled.by_verdict["wrong_answer"],
        labelled.by_verdict["skip"],
    }
    assert dataset.counts["negative"] == 3  # unanswerable, wrong passage and the wrong answer without a correction


def test_the_same_labels_give_the_same_dataset_and_another_label_another(labelled: Labelled, base: Path):
    first = freezing.freeze(labelled.project)
    assert freezing.freeze(labelled.project).id == first.id
    more_labels(labelled, 1)
    second = freezing.freeze(labelled.project)
    assert second.fingerprint != first.fingerprint


def test_a_damaged_dataset_is_written_again(labelled: Labelled, base: Path):
    first = freezing.freeze(labelled.project)
    (home.absolute(first.path) / "train.jsonl").write_text("")
    with pytest.raises(DamagedArtefact):
        verify(home.absolute(first.path))
    second = freezing.freeze(labelled.project)
    assert second.id != first.id
    assert second.fingerprint == first.fingerprint
    verify(home.absolute(second.path))


def test_imported_gold_is_evaluated_on_its_own_context_and_never_learned(labelled: Labelled, base: Path):
    texts = [f"Gold question number {i}?" for i in range(40)]
    gold = {"answers": [{"text": "blue", "start": 0}], "is_impossible": False, "context": "blue sky"}
    with write() as session:
        session.add_all(
            Question(project_id=labelled.project.id, text=text, sha256=f"{i:064}", source="gold", gold=gold)
            for i, text in enumerate(texts)
        )
    folder = home.absolute(freezing.freeze(labelled.project).path)
    test = [row for row in read_evaluation(folder, "test") if row.source == "gold"]
    assert {row.gold.text for row in test} == {text for text in texts if split_of(text) == "test"}
    assert test[0].gold.passages == ("blue sky",)
    assert test[0].gold.answers == ("blue",)
    assert not {example.text for example in read_train(folder)} & set(texts)


def test_starting_data_is_mixed_in_but_never_a_question_that_is_evaluated(labelled: Labelled, base: Path):
    row = {"passage": "p", "target": "t", "answerable": True, "start": None}
    rows = [{"text": f"Old question {i}?", **row} for i in range(900)]
    (base / "rehearsal.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = freezing.freeze(labelled.project)
    train = read_train(home.absolute(dataset.path))
    rehearsed = [example.text for example in train if example.kind == "rehearsal"]
    assert dataset.counts["rehearsal"] == len(rehearsed) == 256
    assert {split_of(text) for text in rehearsed} == {"train"}
    chosen, checked = choose_rehearsal(rows, 1, 10, taken={rehearsed[0]})
    assert len(checked) == 20
    assert rehearsed[0] not in {example.text for example in chosen}


@pytest.mark.parametrize("content", ["not json\n", '{"text": "x"}\n'])
def test_starting_data_that_cannot_be_read_is_a_sentence(tmp_path: Path, content: str):
    (tmp_path / "rehearsal.jsonl").write_text(content)
    with pytest.raises(Damaged, match=r"rehearsal\.jsonl"):
        read_rehearsal(tmp_path)


def test_the_page_shows_the_exact_rows_the_label_behind_each_and_what_is_left_out(
    client: FlaskClient, labelled: Labelled
):
    address = f"/p/{labelled.project.id}/dataset"
    page = client.get(address).text
    assert "Context: Bistro Luna opens" in page
    assert f'/p/{labelled.project.id}/labels/{labelled.by_verdict["correct"]}"' in page
    negatives = client.get(f"{address}?kind=negative").text
    assert CASES["unanswerable"] in negatives
    assert CASES["accept"] not in negatives
    left_out = client.get(f"{address}?kind=left_out").text
    assert "counted as a negative" in left_out
    assert CASES["wrong_answer"] in left_out


def test_the_frozen_page_lists_its_labels_and_says_which_changed_since(
    client: FlaskClient, labelled: Labelled, base: Path
):
    dataset = freezing.freeze(labelled.project)
    decide(labelled.questions["accept"], labelled.person, "unanswerable", version=1)
    page = client.get(f"/p/{labelled.project.id}/dataset/{dataset.id}").text
    assert dataset.fingerprint in page
    assert page.count("edited or undone since") == 1


def test_the_pages_refuse_strangers_and_missing_rows(client: FlaskClient, anonymous: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}/dataset"
    assert anonymous.get(address).status_code in (302, 303, 401)
    assert client.get("/p/999/dataset").status_code == 404
    assert client.get(f"{address}/999").status_code == 404
    assert client.post(address).status_code == 405
    assert client.get(f"{address}?kind=nonsense&page=99").status_code == 200
