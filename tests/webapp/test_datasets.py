"""Labels become rows in one place; a frozen dataset is whole, fingerprinted and leaks nothing; the page shows the exact rows."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.webapp.labelled import CASES, LUNA, SOL, Labelled, decide, make_labelled, make_question
from training.artefact import DamagedArtefact, verify
from training.split import split_of
from webapp import home
from webapp.datasets import freeze as freezing
from webapp.datasets import service
from webapp.datasets.examples import locate
from webapp.datasets.files import (
    read_evaluation,
    read_lines,
    read_passed_over,
    read_preferences,
    read_rejects,
    read_train,
)
from webapp.datasets.rehearsal import choose_rehearsal, read_rehearsal
from webapp.datasets.service import build_examples
from webapp.db import write
from webapp.errors import Damaged
from webapp.models import (
    Answer,
    AnswerPassage,
    Dataset,
    DatasetLabel,
    Document,
    Label,
    Person,
    Project,
    Question,
    db,
    now,
)
from webapp.people.service import create_person
from webapp.projects import settings as project_settings


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
        ("izmir", "In \u0130zmir.", None, 3), ("A\u00c9", "a\u00e9", None, 0),
    ],
)  # fmt: skip
def test_an_answer_is_located_as_a_whole_word(text: str, passage: str, start: int | None, found: int | None):
    assert locate(text, passage, start) == found


@pytest.mark.parametrize("passages", [1, 2])
def test_not_answerable_called_wrong_teaches_where_it_was_said_of_one_passage(labelled: Labelled, passages: int):
    label = db.session.get_one(Label, labelled.by_verdict["wrong_answer"])
    with write() as session:
        answer = session.get_one(Answer, label.answer_id)
        answer.text, answer.answerable = "", False
        shown = (
            session.query(AnswerPassage).where(AnswerPassage.answer_id == answer.id).order_by(AnswerPassage.rank).all()
        )
        for row in shown[passages:]:
            session.delete(row)
    built = service.build_examples(labelled.project)
    rejects = [example for _, example in built.rejects if example.label == label.id]
    assert [(row.target.text, row.target.answerable) for row in rejects] == [("", False)] * (passages == 1)
    assert (label.id in {out.label for out in built.left_out}) == (passages == 2)


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
    used: dict[int, set[str]] = {}
    for link in links:
        used.setdefault(link.label_id, set()).add(link.kind)
    label = labelled.by_verdict
    assert used == {
        label["correct"]: {"correct", "preference", "triple"}, label["accept"]: {"accept", "triple"}, label["wrong_answer"]: {"reject"},
        label["wrong_passage"]: {"negative"}, label["unanswerable"]: {"negative"},
    }  # fmt: skip
    assert {link.split for link in links if link.label_id == label["correct"]} == {split_of(CASES["correct"])}
    summary = json.loads((home.absolute(dataset.path) / "dataset.json").read_text())
    assert {row["label"] for row in summary["left_out"]} == {label["skip"]}
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
    assert "The question was skipped." in left_out
    assert CASES["skip"] in left_out


def left_out_lines(client: FlaskClient, labelled: Labelled) -> dict[int, str]:
    """Label -> the words of its line in the list of what is left out."""
    page = client.get(f"/p/{labelled.project.id}/dataset?kind=left_out").text
    lines = re.findall(r"<tr>(<td.*?)</tr>", page, flags=re.DOTALL)
    words = [re.sub(r"<[^>]+>", " ", line).split() for line in lines]
    return {int(line[0]): " ".join(line[1:]) for line in words}


def test_the_page_names_the_label_that_contradicts_a_newer_one(app: Flask, client: FlaskClient, labelled: Labelled):
    with write() as session:
        other = create_person(session, "Bo", role="annotator")
    newer = decide(labelled.questions["accept"], other, "unanswerable")
    older = labelled.by_verdict["accept"]
    lines = left_out_lines(client, labelled)
    assert lines[older] == (
        f"{CASES['accept']} It contradicts the newer label {newer} on the same question; the newest wins."
    )
    assert newer not in lines
    assert 'Left out <span class="meta">2</span>' in client.get(f"/p/{labelled.project.id}/dataset").text  # and a skip


def test_the_page_names_the_labels_whose_document_was_deleted(client: FlaskClient, labelled: Labelled):
    with write() as session:
        session.get_one(Document, labelled.luna.document_id).deleted_at = now()
    lines = left_out_lines(client, labelled)
    for case in ("correct", "accept"):
        assert lines[labelled.by_verdict[case]] == (
            f"{CASES[case]} The document of its passage was deleted: it still teaches the answerer, but nothing is to be found there any more."
        )
    assert 'Left out <span class="meta">3</span>' in client.get(f"/p/{labelled.project.id}/dataset").text


@pytest.mark.parametrize(
    ("kind", "shown", "words"),
    [
        ("accept", "accept", "Right answer: <strong>yes</strong>"),
        ("preference", "correct", "Better: <ins>=9 am</ins> than <del>8 am</del>"),
        ("reject", "wrong_answer", "Not this answer: <del>8 am</del>"),
        ("negative", "wrong_passage", "<strong>Not answerable</strong> from this passage"),
        ("triple", "correct", f"<ins>{LUNA}</ins>"),
    ],
)
def test_the_page_shows_each_kind_apart_with_its_count_and_its_exact_text(
    client: FlaskClient, labelled: Labelled, kind: str, shown: str, words: str
):
    page = client.get(f"/p/{labelled.project.id}/dataset?kind={kind}").text
    assert CASES[shown] in page
    assert words in page
    assert f"/labels/{labelled.by_verdict[shown]}" in page
    assert CASES["skip"] not in page
    expected = {"accept": 1, "preference": 1, "reject": 1, "negative": 2, "triple": 2}[kind]
    assert page.count("<article") == expected
    assert re.search(rf'aria-current="page">[A-Za-z ]+<span class="meta">{expected}</span>', page)


def test_passages_passed_over_are_listed_row_by_row_where_the_project_learns_from_them(
    client: FlaskClient, labelled: Labelled, base: Path
):
    address = f"/p/{labelled.project.id}/dataset?kind="
    assert "Passed over" not in client.get(address).text
    with write() as session:
        project_settings.update(session, labelled.project, passed_over=3)
    page = client.get(address + "passed_over").text
    learned = read_passed_over(home.absolute(freezing.freeze(labelled.project).path), at_most=3)
    assert page.count("<article") == len(learned) == 2
    assert 'Passed over <span class="meta">2</span>' in page
    assert page.count(f"Context: {SOL}") == 2
    assert page.count("<strong>Not answerable</strong> from this passage") == 2
    for row in learned:
        assert row.text in page
        assert f"/labels/{row.label}" in page
    assert client.get(f"{address}passed_over&split=test").text.count("<article") == 0


def test_the_page_shows_one_split_of_one_kind(client: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}/dataset?kind=correct&split="
    split = split_of(CASES["correct"])
    assert CASES["correct"] in client.get(address + split).text
    assert "No label gives such a row." in client.get(address + ("test" if split != "test" else "train")).text


def test_rows_that_are_never_learned_from_do_not_say_that_they_are(client: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}/dataset?split="
    for split in ("validation", "test"):
        text = next(text for text in (f"How many seats on day {i}?" for i in range(60)) if split_of(text) == split)
        question = make_question(labelled.project, text, labelled.release, (labelled.luna, labelled.sol))
        decide(question, labelled.person, "unanswerable")
    for split in ("train", "validation", "test"):
        page = client.get(address + split).text
        assert "<article" in page
        assert ("a model trains on</summary>" in page) == (split == "train")
        assert ("no model trains on it</summary>" in page) == (split != "train")
    for kind, words in (("negative", "learns to say so"), ("reject", "pushed away"), ("preference", "likelier")):
        for split in ("validation", "test"):
            assert words not in client.get(f"{address}{split}&kind={kind}").text
        assert words in client.get(f"{address}train&kind={kind}").text
    assert "From those of the training split the model learns to say so." in client.get(f"{address}&kind=negative").text


def add_gold(labelled: Labelled, texts: list[str], **changes: object) -> list[Question]:
    gold = {"answers": [{"text": "blue", "start": 0}], "is_impossible": False, "context": "blue sky", **changes}
    known = db.session.query(Question).count()
    questions = [
        Question(project_id=labelled.project.id, text=text, sha256=f"{known + i:064}", source="gold", gold=gold)
        for i, text in enumerate(texts)
    ]
    with write() as session:
        session.add_all(questions)
    return questions


def test_the_splits_that_judge_say_that_imported_questions_judge_too_and_where_they_are(
    client: FlaskClient, labelled: Labelled
):
    address = f"/p/{labelled.project.id}/dataset?split="
    assert "Nothing here is learned" in client.get(address + "test").text
    assert "Imported questions" not in client.get(address + "test").text
    add_gold(labelled, [f"Gold question number {i}?" for i in range(40)])
    for split, place in (("test", "lists them, question by question."), ("validation", "validation.jsonl")):
        page = client.get(address + split).text
        at_most = {"test": 500, "validation": 200}[split]
        assert (
            f"judge here too, as far as they and the labelled ones, which come first, are no more than {at_most}."
            in page
        )
        assert place in page
    assert "Imported questions" not in client.get(address + "train").text
    assert "Imported questions" not in client.get(address).text


def test_an_imported_question_that_was_labelled_or_cannot_be_asked_is_none_that_judges_beside_the_labels(
    client: FlaskClient, labelled: Labelled, monkeypatch: pytest.MonkeyPatch
):
    address = f"/p/{labelled.project.id}/dataset?split=test"
    text, other = [text for text in (f"Gold question number {i}?" for i in range(60)) if split_of(text) == "test"][:2]
    add_gold(labelled, [text], context="")  # nothing was shown for it either: there is nothing to ask about
    assert "Imported questions" not in client.get(address).text
    question = make_question(labelled.project, other, labelled.release, (labelled.luna, labelled.sol))
    with write() as session:
        session.get_one(Question, question.id).gold = {"answers": ["blue"]}
    assert "Imported questions" in client.get(address).text
    decide(question, labelled.person, "accept")
    page = client.get(address).text
    assert other in page
    assert "Imported questions" not in page
    add_gold(labelled, [text.upper()])
    assert "Imported questions" in client.get(address).text
    monkeypatch.setitem(freezing.EVALUATION_AT_MOST, "test", 1)  # the labels alone are as many as there is room for
    assert "Imported questions" not in client.get(address).text


def test_many_imported_questions_cost_the_page_no_more_queries_than_one(
    client: FlaskClient, labelled: Labelled, statements: list[str]
):
    def ask_page() -> int:
        statements.clear()
        assert "Imported questions" in client.get(f"/p/{labelled.project.id}/dataset?split=test").text
        return len(statements)

    add_gold(
        labelled, [text for text in (f"Gold question number {i}?" for i in range(30)) if split_of(text) == "test"][:1]
    )
    alone = ask_page()
    shown = (labelled.luna, labelled.sol)
    for i in range(40):
        question = make_question(labelled.project, f"Another gold question, {i}?", labelled.release, shown)
        with write() as session:
            session.get_one(Question, question.id).gold = {"answers": ["blue"]}
    assert ask_page() <= alone


def test_the_frozen_page_lists_its_labels_and_says_which_changed_since(
    client: FlaskClient, labelled: Labelled, base: Path
):
    dataset = freezing.freeze(labelled.project)
    decide(labelled.questions["accept"], labelled.person, "unanswerable", version=1)
    page = client.get(f"/p/{labelled.project.id}/dataset/{dataset.id}").text
    assert dataset.fingerprint in page
    assert "correct, preference, triple" in page
    assert page.count("edited or undone since") == 1


def test_the_pages_refuse_strangers_and_missing_rows(client: FlaskClient, anonymous: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}/dataset"
    assert anonymous.get(address).status_code in (302, 303, 401)
    assert client.get("/p/999/dataset").status_code == 404
    assert client.get(f"{address}/999").status_code == 404
    assert client.post(address).status_code == 405
    assert client.get(f"{address}?kind=&page=99").status_code == 200
    for unknown in ("kind=nonsense", "split=half"):
        answer = client.get(f"{address}?{unknown}")
        assert answer.status_code == 400
        assert f"The address says {unknown}; expected one of" in answer.text


def read(dataset: Dataset, name: str) -> list[dict[str, Any]]:
    return read_lines(home.absolute(dataset.path) / f"{name}.jsonl")


def test_a_frozen_dataset_holds_the_rows_of_every_kind(labelled: Labelled, base: Path):
    dataset = freezing.freeze(labelled.project)
    [preference] = read(dataset, "preferences")
    assert preference == {
        "text": CASES["correct"], "passage": LUNA, "chosen": "=9 am", "start": LUNA.index("=9 am"), "rejected": "8 am", "weight": 1.0,
        "label": labelled.by_verdict["correct"], "split": split_of(CASES["correct"]),
    }  # fmt: skip
    [reject] = read(dataset, "rejects")
    assert (reject["text"], reject["passage"], reject["rejected"]) == (CASES["wrong_answer"], SOL, "8 am")
    assert reject["weight"] == -0.1
    triples = {row["label"]: row for row in read(dataset, "triples")}
    assert triples[labelled.by_verdict["correct"]] == {
        "text": CASES["correct"], "positive": LUNA, "positive_id": labelled.luna.id, "negatives": [SOL],
        "negative_ids": [labelled.sol.id], "label": labelled.by_verdict["correct"], "split": split_of(CASES["correct"]),
    }  # fmt: skip
    assert set(triples) == {labelled.by_verdict["correct"], labelled.by_verdict["accept"]}
    assert (dataset.counts["preferences"], dataset.counts["rejects"], dataset.counts["triples"]) == (1, 1, 2)


def test_the_rows_of_every_kind_are_read_back_as_they_were_written(labelled: Labelled, base: Path):
    dataset = freezing.freeze(labelled.project)
    folder = home.absolute(dataset.path)
    triples = service.read_triples(dataset)
    assert set(triples) == {"train", "validation", "test"}
    assert [asdict(row) for rows in triples.values() for row in rows] == [
        {**row, "negatives": tuple(row["negatives"]), "negative_ids": tuple(row["negative_ids"])}
        for split in triples for row in read(dataset, "triples") if row["split"] == split
    ]  # fmt: skip
    [preference] = read_preferences(folder, split_of(CASES["correct"]))
    assert (preference.chosen.text, preference.rejected.text, preference.rejected.answerable) == ("=9 am", "8 am", True)
    [reject] = read_rejects(folder, split_of(CASES["wrong_answer"]))
    assert (reject.target.text, reject.weight, reject.kind) == ("8 am", -0.1, "reject")
    (folder / "triples.jsonl").write_text("")
    with pytest.raises(DamagedArtefact):
        service.read_triples(dataset)


def test_a_deleted_document_is_reported_and_its_label_still_teaches_the_answerer(labelled: Labelled, base: Path):
    with write() as session:
        session.get_one(Document, labelled.luna.document_id).deleted_at = now()
    dataset = freezing.freeze(labelled.project)
    assert not read(dataset, "triples")
    assert dataset.counts["accept"] == dataset.counts["correct"] == 1
    summary = json.loads((home.absolute(dataset.path) / "dataset.json").read_text())
    assert {row["label"] for row in summary["left_out"] if "was deleted" in row["reason"]} == {
        labelled.by_verdict["correct"],
        labelled.by_verdict["accept"],
    }


@pytest.mark.parametrize("verdict", ["accept", "wrong_answer", "wrong_passage", "unanswerable", "skip"])
def test_labels_of_one_kind_only_freeze_into_the_rows_they_give(
    app: Flask, project: Project, person: Person, base: Path, verdict: str
):
    labelled = make_labelled(project, person)
    with write() as session:
        session.execute(update(Label).values(verdict="skip", reject_reason=None))
    question = make_question(project, "The only one?", labelled.release, (labelled.luna, labelled.sol))
    decide(question, person, verdict)
    dataset = freezing.freeze(project)
    kinds = {
        "accept": {"accept", "triple"}, "wrong_answer": {"reject"}, "wrong_passage": {"negative"}, "unanswerable": {"negative"},
        "skip": set(),
    }  # fmt: skip
    links = db.session.scalars(select(DatasetLabel.kind).where(DatasetLabel.dataset_id == dataset.id))
    assert set(links) == kinds[verdict]


def test_a_correction_that_stands_in_no_passage_keeps_its_row_without_a_place(labelled: Labelled):
    text = next(text for text in (f"How many seats on day {i}?" for i in range(20)) if split_of(text) == "train")
    question = make_question(labelled.project, text, labelled.release, (labelled.luna, labelled.sol))
    label = decide(question, labelled.person, "correct", text="forty")
    built = build_examples(labelled.project)
    [example] = [example for example in built.train if example.label == label]
    assert (example.target.text, example.target.start) == ("forty", None)
    assert label not in {use.label for use in built.uses() if use.kind == "triple"}
