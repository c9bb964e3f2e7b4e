"""Files into documents and questions, through the function that the page, the command and the worker share."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from webapp.corpus import service
from webapp.corpus.importing import ImportResult
from webapp.db import write
from webapp.errors import Invalid, NotFound
from webapp.models import Document, Project, Question, db
from webapp.projects.service import delete_project

DOCUMENTS = [
    {"id": "a", "title": "Kavo Bistro", "text": "Kavo Bistro opens at nine. Dogs are welcome on the patio."},
    {"id": "b", "title": "Red Tido", "text": "Red Tido serves lunch until three."},
]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def import_file(path: Path, project: Project, kind: str = "documents", **options: Any) -> ImportResult:
    return service.import_file(path, project=project, kind=kind, **options)


def count(table: Any) -> int:
    return int(db.session.scalar(select(func.count()).select_from(table)) or 0)


def questions() -> list[Question]:
    return list(db.session.scalars(select(Question).order_by(Question.id)))


def test_documents_go_in_and_a_second_import_adds_nothing(tmp_path: Path, project: Project):
    path = lines(tmp_path / "documents.jsonl", DOCUMENTS)
    assert import_file(path, project).as_dict() == {
        "kind": "documents",
        "read": 2,
        "added": 2,
        "duplicates": 0,
        "rejected": [],
        "warnings": [],
    }
    again = import_file(path, project)
    assert (again.added, again.duplicates, count(Document)) == (0, 2, 2)


def test_a_bad_line_is_listed_and_the_good_ones_go_in(tmp_path: Path, project: Project):
    path = lines(
        tmp_path / "documents.jsonl", [DOCUMENTS[0], '{"id": "x", "text": ', DOCUMENTS[1], {"id": "c", "text": " "}]
    )
    result = import_file(path, project)
    assert result.added == 2
    assert [row.line for row in result.rejected] == [2, 4]
    assert "not JSON" in result.rejected[0].reason
    assert "empty" in result.rejected[1].reason


def test_an_id_used_twice_for_different_texts_is_refused(tmp_path: Path, project: Project):
    other = {"id": "a", "text": "Another text."}
    in_one_file = import_file(lines(tmp_path / "one.jsonl", [DOCUMENTS[0], other]), project)
    in_another = import_file(lines(tmp_path / "two.jsonl", [{"id": "z", "text": "New."}, other]), project)
    assert [row.line for row in in_one_file.rejected] == [2]
    assert [row.line for row in in_another.rejected] == [2]
    assert "'a'" in in_another.rejected[0].reason
    assert count(Document) == 2


def test_a_text_file_is_one_document_named_like_the_file(tmp_path: Path, project: Project):
    (tmp_path / "upload").write_text("Kavo Bistro opens at nine.", encoding="utf-8")
    import_file(tmp_path / "upload", project, name="Opening hours.txt")
    assert db.session.scalars(select(Document.title)).all() == ["Opening hours"]


def test_a_deleted_document_can_be_imported_again(tmp_path: Path, project: Project):
    path = lines(tmp_path / "documents.jsonl", DOCUMENTS)
    import_file(path, project)
    first = db.session.scalar(select(Document.id).order_by(Document.id))
    with write() as rows:
        assert service.delete_documents(rows, project, [first]) == 1
        assert service.delete_documents(rows, project, [first]) == 0
    assert import_file(path, project).added == 1
    assert service.list_documents(project).total == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", b"", "empty"),
        ("picture.txt", bytes(range(256)) * 8, "binary"),
        ("broken.txt", b"caf\xe9 is not UTF-8 text at all", "UTF-8"),
        ("table.csv", b"colour,size\nred,3\n", "on the command line by --map text=COLUMN"),
        ("table.parquet", b"PAR1 this is not a table PAR1", "Parquet"),
        ("notes.docx", b"PK\x03\x04", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_gets_one_sentence(
    tmp_path: Path, project: Project, name: str, content: bytes, sentence: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=sentence) as refused:
        import_file(tmp_path / name, project)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert count(Document) == 0


@pytest.mark.parametrize("name", ["book.txt", "book.md", "book.html"])
def test_a_file_too_large_for_one_document_is_refused_unread(tmp_path: Path, project: Project, name: str):
    with (tmp_path / name).open("wb") as file:
        file.truncate(50_000_000)  # a hole: read, it would be called binary
    with pytest.raises(Invalid, match=r"has 50 MB; .* may have 20 MB \(5,000,000 characters\)"):
        import_file(tmp_path / name, project)


def test_columns_with_other_names_can_be_mapped(tmp_path: Path, project: Project):
    path = tmp_path / "table.csv"
    path.write_text("code,words\n1,Kavo Bistro opens at nine.\n", encoding="utf-8")
    assert import_file(path, project, columns={"text": "words", "id": "code"}).added == 1
    assert db.session.scalar(select(Document.external_id)) == "1"
    with pytest.raises(Invalid, match="have no field 'body'"):
        import_file(path, project, columns={"body": "words"})
    with pytest.raises(
        Invalid, match="No column is named like text; say which one holds it, on the command line by --map text=words"
    ):
        import_file(path, project, columns={"id": "code"})
    with pytest.raises(Invalid, match="no column 'missing'"):
        import_file(path, project, columns={"text": "missing"})


def test_questions_go_in_once_and_long_ones_are_refused(tmp_path: Path, project: Project):
    rows = [{"id": "1", "question": "Are dogs welcome?"}, {"id": "2", "question": "Are  dogs welcome?"},
            {"id": "3", "question": "x" * 20_000}, {"id": "1", "question": "Is there parking?"}, {"id": "4", "question": ""}]  # fmt: skip
    result = import_file(lines(tmp_path / "questions.jsonl", rows), project, "questions")
    assert (result.read, result.added, result.duplicates) == (5, 1, 1)
    assert [row.line for row in result.rejected] == [3, 4, 5]
    assert "20,000 characters" in result.rejected[0].reason
    assert [question.text for question in questions()] == ["Are dogs welcome?"]


def test_every_line_of_a_text_file_is_a_question(tmp_path: Path, project: Project):
    (tmp_path / "questions.txt").write_bytes("Are dogs welcome?\n\nIs there parking?\ncaf\xe9?\n".encode("latin-1"))
    result = import_file(tmp_path / "questions.txt", project, "questions")
    assert result.added == 2
    assert [row.line for row in result.rejected] == [4]


def test_gold_rows_become_questions_and_their_contexts_documents(tmp_path: Path, project: Project):
    context = "Kavo Bistro opens at nine."
    rows = [
        {
            "id": "1",
            "question": "When does Kavo Bistro open?",
            "context": context,
            "answers": [{"text": "nine", "start": 21}],
        },
        {"id": "2", "question": "When does it close?", "context": context, "answers": [], "is_impossible": True},
        {"id": "3", "question": "Where is it?", "context": context, "answers": [{"text": "Rome", "start": 3}]},
        {"id": "4", "question": "Who cooks?", "context": context, "answers": []},
        {"id": "5", "question": "What opens?", "context": context, "answers": [{"text": "kavo Bistro", "start": 7}]},
    ]
    path = lines(tmp_path / "gold.jsonl", rows)
    result = import_file(path, project, "gold")
    assert (result.added, [row.line for row in result.rejected]) == (3, [3, 4])
    assert "'Rome' is not in the context" in result.rejected[0].reason
    assert count(Document) == 1
    when, close, what = (question.gold for question in questions())
    assert when == {"answers": [{"text": "nine", "start": 21}], "is_impossible": False, "context": context}
    assert close == {"answers": [], "is_impossible": True, "context": context}
    assert what is not None
    assert what["answers"] == [{"text": "Kavo Bistro", "start": 0}]
    again = import_file(path, project, "gold")
    assert (again.added, again.duplicates, count(Document)) == (0, 3, 1)


def test_a_question_that_is_there_without_a_known_answer_gets_it(tmp_path: Path, project: Project):
    asked = [{"question": "When does it open?"}, {"question": "Who cooks?"}]
    assert import_file(lines(tmp_path / "questions.jsonl", asked), project, "questions").added == 2
    rows = [
        {"question": "When does it open?", "answers": ["nine"]},
        {"question": "When does it  open?", "answers": ["ten"]},  # the same question once more
        {"question": "Where is it?", "answers": ["Rome"]},
    ]
    path = lines(tmp_path / "gold.jsonl", rows)
    result = import_file(path, project, "gold")
    assert (result.added, result.duplicates, result.rejected) == (2, 1, ())
    known = {question.text: question.gold and question.gold["answers"] for question in questions()}
    assert known == {
        "When does it open?": [{"text": "nine", "start": None}],
        "Who cooks?": None,
        "Where is it?": [{"text": "Rome", "start": None}],
    }
    assert import_file(path, project, "gold").added == 0


def test_gold_answers_that_are_not_in_their_context_come_in_and_are_named(tmp_path: Path, project: Project):
    context = "Kavo Bistro opens at nine."
    rows = [
        {"question": "When does it open?", "context": context, "answers": ["Nine"]},
        {"question": "Who cooks?", "context": context, "answers": ["Ada Kavo"]},
        {"question": "Who waits?", "context": "", "answers": ["Ben"]},
        {"question": "Who sings?", "context": context, "answers": [{"text": "Cy", "start": None}, "Dee", "Kavo"]},
        {"question": "What is in it?", "context": context, "answers": ["pen"]},  # a part of "opens" is no answer
    ]
    path = lines(tmp_path / "gold.jsonl", rows)
    result = import_file(path, project, "gold")
    assert (result.added, result.rejected) == (5, ())
    assert [row.line for row in result.warnings] == [2, 4, 5]
    assert "The answer 'Ada Kavo' is not in the row's context" in result.warnings[0].reason
    assert "The answers 'Cy', 'Dee' are not" in result.warnings[1].reason


def test_one_question_about_two_texts_is_two_gold_rows(tmp_path: Path, project: Project):
    rows = [
        {"question": "How is the food?", "context": f"The food is {word}.", "answers": [word]}
        for word in ("good", "bad")
    ]
    assert import_file(lines(tmp_path / "gold.jsonl", rows), project, "gold").added == 2


def test_squad_json_is_read_as_gold(tmp_path: Path, project: Project):
    answers = [{"text": "nine", "answer_start": 21}]
    asked = [{"id": "q1", "question": "When does it open?", "answers": answers, "is_impossible": False},
             {"id": "q2", "question": "When does it close?", "answers": [], "is_impossible": True}]  # fmt: skip
    article = {"title": "Kavo Bistro", "paragraphs": [{"context": "Kavo Bistro opens at nine.", "qas": asked}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [article]}), encoding="utf-8")
    assert import_file(path, project, "gold").added == 2
    assert db.session.scalar(select(Document.title)) == "Kavo Bistro"
    assert [bool(question.gold and question.gold["is_impossible"]) for question in questions()] == [False, True]


def test_a_deleted_project_takes_no_more_rows(tmp_path: Path, project: Project):
    with write() as rows:
        delete_project(rows, project)
    with pytest.raises(NotFound):
        import_file(lines(tmp_path / "documents.jsonl", DOCUMENTS), project)
    assert count(Document) == 0


def test_an_import_interrupted_halfway_loses_nothing_and_doubles_nothing(tmp_path: Path, project: Project):
    rows = [{"id": str(number), "text": f"Text number {number}."} for number in range(700)]
    path = lines(tmp_path / "documents.jsonl", rows)

    def stop(_fraction: float, message: str) -> None:
        if not message.startswith("250 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(path, project, report=stop)
    assert count(Document) == 500
    result = import_file(path, project)
    assert (result.added, result.duplicates, count(Document)) == (200, 500, 700)


def test_search_finds_title_id_and_text_and_takes_wildcards_literally(tmp_path: Path, project: Project):
    import_file(lines(tmp_path / "documents.jsonl", [*DOCUMENTS, {"id": "c", "text": "100 % rye bread"}]), project)
    assert [row.title for row in service.list_documents(project, query="kavo").documents] == ["Kavo Bistro"]
    assert [row.external_id for row in service.list_documents(project, query="lunch").documents] == ["b"]
    assert [row.external_id for row in service.list_documents(project, query="%").documents] == ["c"]


def test_a_typed_question_is_kept_once(project: Project):
    with write() as rows:
        first = service.add_question(rows, project, " Are dogs welcome? ")
    with write() as rows:
        assert service.add_question(rows, project, "Are dogs welcome?").id == first.id
        with pytest.raises(Invalid, match="shorten it"):
            service.add_question(rows, project, "x" * 10_001)
    assert first.source == "typed"
