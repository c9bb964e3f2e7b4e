"""SQuAD JSON and gold lines come back as they went out; what cannot be used is named with its reason."""

import gzip
import json
from pathlib import Path

import pytest

from training import squad
from training.squad import QuestionRow
from training.types import TrainingError

ROWS = [
    QuestionRow("1", "Where does Anna live?", "Anna lives in Rome.", (("Rome", 14),), "Anna"),
    QuestionRow("2", "What does Anna do?", "Anna lives in Rome.", (), "Anna"),
    QuestionRow("3", "Who sells “tea”?", "Boris sells tea; Boris is old.", (("Boris", 0), ("Boris", 17)), "Boris"),
]


def dropped() -> tuple[list[tuple[str, str]], squad.Drop]:
    rows: list[tuple[str, str]] = []
    return rows, lambda name, reason: rows.append((name, reason))


@pytest.mark.parametrize("write", [squad.write, squad.write_lines])
def test_what_is_written_is_read_back(write: squad.write, tmp_path: Path) -> None:
    lost, drop = dropped()
    path = tmp_path / "rows.json"
    path.write_text("".join(write(ROWS, drop=drop)), encoding="utf-8")
    read = [QuestionRow(r.id, r.question, r.context, r.answers) for r in squad.read(path, drop=drop)]
    assert read == [QuestionRow(r.id, r.question, r.context, r.answers) for r in ROWS]
    assert lost == []


def test_the_file_has_the_official_shape() -> None:
    _, drop = dropped()
    data = json.loads("".join(squad.write(ROWS, drop=drop)))
    assert data["version"] == "v2.0"
    assert [article["title"] for article in data["data"]] == ["Anna", "Boris"]
    assert len(data["data"][0]["paragraphs"]) == 1
    first, second = data["data"][0]["paragraphs"][0]["qas"]
    assert first == {
        "id": "1",
        "question": "Where does Anna live?",
        "answers": [{"text": "Rome", "answer_start": 14}],
        "is_impossible": False,
    }
    assert (second["is_impossible"], second["answers"]) == (True, [])


def test_writing_streams() -> None:
    _, drop = dropped()
    pulled: list[int] = []

    def rows() -> object:
        for i in range(1000):
            pulled.append(i)
            yield QuestionRow(str(i), "q?", f"context {i}")

    pieces = squad.write(rows(), drop=drop)
    for _ in range(6):
        next(pieces)
    assert len(pulled) < 5


def test_no_rows_make_a_valid_file() -> None:
    _, drop = dropped()
    assert json.loads("".join(squad.write([], drop=drop)))["data"] == []


def test_wrong_offsets_are_mended_and_lost_answers_dropped(tmp_path: Path) -> None:
    lost, drop = dropped()
    path = tmp_path / "gold.jsonl.gz"
    lines = [
        {"id": "a", "question": "q?", "context": "Anna lives in Rome.", "answers": [{"text": "Rome", "start": 3}]},
        {"id": "b", "question": "q?", "context": "Anna lives in Rome.", "answers": [{"text": "rome", "start": None}]},
        {"id": "c", "question": "q?", "context": "Anna lives in Rome.", "answers": [{"text": "Oslo", "start": 14}]},
        {"id": "d", "question": "q?", "context": "c", "answers": [{"text": "c", "start": 0}], "is_impossible": True},
        {"id": "e", "question": "q?"},
        {"id": "f", "question": " ", "context": "c"},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n[1]\n"
    path.write_bytes(gzip.compress(text.encode()))
    rows = list(squad.read(path, drop=drop))
    assert [(row.id, row.answers) for row in rows] == [("a", (("Rome", 14),)), ("b", (("Rome", 14),)), ("d", ())]
    assert all(row.context[start : start + len(answer)] == answer for row in rows for answer, start in row.answers)
    assert [name for name, _ in lost] == ["c", "line 5", "line 6", "line 7", "line 8"]
    assert lost[0][1] == "its answer is not in its context"


@pytest.mark.parametrize("content", ["hello", '{"a": 1}', "[]"])
def test_another_format_is_a_sentence(content: str, tmp_path: Path) -> None:
    _, drop = dropped()
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(TrainingError, match="neither SQuAD JSON"):
        list(squad.read(tmp_path / "x.json", drop=drop))


GOOD = b'{"id": "a", "question": "q?", "context": "Rome", "answers": ["Rome"]}'


@pytest.mark.parametrize(
    ("content", "lost_rows"),
    [
        (GOOD + b'\n{"id": "b", "question": "caf\xe9?"}\n', [("line 2", "it is not UTF-8")]),
        (b"\nnot json\n" + GOOD, [("line 2", "it is not JSON")]),
        (b"\xff\n" + GOOD, [("line 1", "it is not UTF-8")]),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(
    content: bytes, lost_rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    lost, drop = dropped()
    (tmp_path / "x.jsonl").write_bytes(content)
    assert [row.id for row in squad.read(tmp_path / "x.jsonl", drop=drop)] == ["a"]
    assert lost == lost_rows


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.json", b"\x7fELF\x00\xd0\xff", "neither SQuAD JSON"),
        ("x.json", b'{"data": {"a": 1}}', "neither SQuAD JSON"),
        ("x.gz", b"no gzip", "compress it again"),
        ("x.gz", gzip.compress(GOOD, mtime=0)[:-6], "compress it again"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    _, drop = dropped()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=words):
        list(squad.read(tmp_path / name, drop=drop))


def test_parts_of_another_shape_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    lost, drop = dropped()
    whole = {
        "title": "Anna",
        "paragraphs": [{"context": "Rome", "qas": [{"id": "a", "question": "q?"}]}, 7, {"qas": ["x"]}],
    }
    (tmp_path / "x.json").write_text(json.dumps({"data": [1, {"paragraphs": 3}, whole]}))
    assert [row.id for row in squad.read(tmp_path / "x.json", drop=drop)] == ["a"]
    assert len(lost) == 3
