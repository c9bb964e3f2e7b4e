"""Reading people's files: the good rows come in, the bad ones are named, nothing crashes."""

import contextlib
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retriever.readers import document_sha256, read_documents, read_rows, sniff_columns
from retriever.types import Document, Rejected, RetrieverError, Row


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def texts(path: Path, **options: object) -> list[str]:
    return [found.text for found in read_documents(path, **options) if isinstance(found, Document)]  # type: ignore[arg-type]


def rejected(path: Path, **options: object) -> list[Rejected]:
    return [found for found in read_documents(path, **options) if isinstance(found, Rejected)]  # type: ignore[arg-type]


def test_it_reads_a_text_file_without_its_byte_order_mark(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "menu.txt", "\ufeffOpen daily.\r\nNo cash.")) == ["Open daily.\nNo cash."]


def test_it_keeps_markdown_headings_as_lines_and_drops_the_marks(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "menu.md",
        "---\ntags: x\n---\n# The Blue Door\n\nOpen **daily**, see [here](http://x.y).\n\n- soup\n- fish\n",
    )
    (found,) = read_documents(path)
    assert isinstance(found, Document)
    assert (found.title, found.text) == ("The Blue Door", "The Blue Door\nOpen daily, see here.\nsoup\nfish")


def test_it_reads_what_a_page_shows_and_not_its_scripts(tmp_path: Path) -> None:
    html = (
        "<html><head><title>Fish &amp; Chips</title><style>p{}</style></head><body><h1>Menu</h1>"
        "<p>Cod <b>and</b>\n chips<br>Peas</p><script>alert('x')</script><button>Buy</button><table><tr><td>Cod</td><td>9</td></tr></table></body>"
    )
    (found,) = read_documents(write(tmp_path, "menu.html", html))
    assert isinstance(found, Document)
    assert (found.title, found.text) == ("Fish & Chips", "Menu\nCod and chips\nPeas\nCod  9")


def test_it_reads_a_page_in_the_encoding_the_page_names(tmp_path: Path) -> None:
    page = '<meta charset="iso-8859-1"><p>Café</p>'.encode("latin-1")
    assert texts(write(tmp_path, "menu.html", page)) == ["Café"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_it_finds_the_separator_of_a_csv_file(tmp_path: Path, separator: str) -> None:
    path = write(
        tmp_path, "menu.csv", separator.join(("id", "title", "body")) + "\n" + separator.join(("7", "Menu", "Fish"))
    )
    (found,) = read_documents(path)
    assert isinstance(found, Document)
    assert (found.id, found.title, found.text, found.line) == ("7", "Menu", "Fish", 2)


def test_it_reads_csv_cells_of_several_lines_and_of_ten_megabytes(tmp_path: Path) -> None:
    long = "fish and chips " * 700_000
    assert texts(write(tmp_path, "menu.csv", f'text\n"two\nlines"\n"{long}"\n')) == ["two\nlines", long]


def test_it_names_the_line_of_each_bad_csv_row_and_keeps_the_others(tmp_path: Path) -> None:
    path = write(tmp_path, "menu.csv", b'id,text\n1,ok\n2,caf\xe9\n3,"two\nlines"\n4,\n5,a,b\n6,fine\n')
    assert texts(path) == ["ok", "two\nlines", "fine"]
    assert [row.line for row in rejected(path)] == [3, 6, 7]
    assert "byte 0xe9 at offset 18" in rejected(path)[0].reason
    assert "3 cells where the header has 2" in rejected(path)[2].reason


def test_it_lists_bad_json_lines_with_their_numbers_and_reads_the_good_ones(tmp_path: Path) -> None:
    lines = [
        b'{"id": 1, "text": "good"}',
        b"{bad",
        b"[1]",
        b"",
        b'{"text": "caf\xff"}',
        b'{"text": ["x"]}',
        b'{"title": "none"}',
    ]
    path = write(tmp_path, "menu.jsonl", b"\n".join([*lines, b'{"text":' + b"[" * 100_000, b'{"text": "last"}']))
    assert texts(path) == ["good", "last"]
    assert [row.line for row in rejected(path)] == [2, 3, 5, 6, 7, 8]
    assert "too deeply" in rejected(path)[-1].reason


def test_it_names_the_lines_of_a_file_that_has_only_bad_ones(tmp_path: Path) -> None:
    assert [row.line for row in rejected(write(tmp_path, "menu.jsonl", "{bad\n{worse\n"))] == [1, 2]


def test_it_cleans_nul_characters_and_lone_surrogates(tmp_path: Path) -> None:
    (text,) = texts(write(tmp_path, "menu.jsonl", r'{"text": "a\u0000b\ud800c"}'))
    assert text == "ab\ufffdc"
    text.encode("utf-8")


def test_it_refuses_a_second_text_under_one_id_and_not_a_repeated_row(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "one"}, {"id": "a", "text": " one "}, {"id": "a", "text": "two"}]
    path = write(tmp_path, "menu.jsonl", "\n".join(json.dumps(row) for row in rows))
    assert len(texts(path)) == 2
    assert rejected(path) == [Rejected(3, "The id 'a' is already that of line 1 with another text.")]


def test_it_reads_a_json_list_and_squad_json(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "list.json", '[{"text": "one"}, {"text": "two"}]')) == ["one", "two"]
    question = {"id": "q", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}], "is_impossible": False}
    squad = {
        "version": "v2.0",
        "data": [{"title": "A", "paragraphs": [{"context": "Ann sings.", "qas": [question, 3]}]}],
    }
    row, bad = read_rows(write(tmp_path, "squad.json", json.dumps(squad)))
    assert isinstance(row, Row)
    assert row.values == {
        "id": "q", "title": "A", "question": "Who?", "context": "Ann sings.",
        "answers": [{"text": "Ann", "start": 0}], "is_impossible": False,
    }  # fmt: skip
    assert isinstance(bad, Rejected)


def test_it_reads_parquet_and_numbers_the_records_without_text(tmp_path: Path) -> None:
    path = tmp_path / "menu.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"Doc ID": [1, 2, 3], "Content": ["Fish", None, "Peas"]}), path)
    assert texts(path) == ["Fish", "Peas"]
    assert [row.line for row in rejected(path)] == [2]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", b"", "empty"),
        ("a.csv", b" \n\n", "empty"),
        ("a.txt", bytes(range(256)) * 20, "binary"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "binary"),
        ("a.txt", "Fish".encode("utf-16"), "UTF-16"),
        ("a.txt", b"caf\xe9", "byte 0xe9 at offset 3"),
        ("a.json", b'{"text": ', "not JSON"),
        ("a.parquet", b"PAR1 is not enough", "Parquet"),
        ("a.pdf", b"%PDF", "use one of .txt"),
        ("a", b"text", "without an ending"),
        ("a.csv", b"a,b\n1,2\n", "the file has: a, b"),
        ("a.csv", b"text,caf\xe9\n1,2\n", "header cannot be read"),
        ("a.csv", b'"text\n1\n', "header of the file is not valid CSV"),
    ],
)
def test_it_refuses_a_file_in_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(RetrieverError, match=sentence) as caught:
        list(read_documents(write(tmp_path, name, content)))
    assert "\n" not in str(caught.value)


def test_it_refuses_a_missing_file_and_an_absent_column(tmp_path: Path) -> None:
    with pytest.raises(RetrieverError, match="cannot be read"):
        list(read_documents(tmp_path / "nothing.txt"))
    with pytest.raises(RetrieverError, match="no column 'words'"):
        list(read_documents(write(tmp_path, "a.csv", "a,b\n1,2\n"), columns={"text": "words"}))


def test_a_mapping_says_which_column_holds_the_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "number,says\n1,Fish\n")
    assert sniff_columns(path).guess is None
    (found,) = read_documents(path, columns={"id": "number", "text": "says"})
    assert isinstance(found, Document)
    assert (found.id, found.text) == ("1", "Fish")


def test_it_guesses_columns_by_common_names_and_shows_short_samples(tmp_path: Path) -> None:
    columns = sniff_columns(write(tmp_path, "a.csv", "Doc-ID,Headline,Passage\n1,T," + "x" * 5000 + "\n"))
    assert columns.guess == {"id": "Doc-ID", "title": "Headline", "text": "Passage"}
    assert columns.names == ("Doc-ID", "Headline", "Passage")
    assert len(columns.rows[0]["Passage"]) == 200


def test_other_kinds_of_file_bring_their_own_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "q.csv", "query\nWho?\n")
    assert sniff_columns(path, fields={"question": ("question", "query")}, required=("question",)).guess == {
        "question": "query"
    }


def test_the_duplicate_key_ignores_wrapping_and_nothing_else() -> None:
    assert document_sha256("Fish\r\n and  chips ") == document_sha256("Fish and chips")
    assert document_sha256("Fish and chips") != document_sha256("fish and chips")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    content=st.binary(max_size=400),
    ending=st.sampled_from(["txt", "md", "html", "csv", "tsv", "jsonl", "json", "parquet"]),
)
def test_any_bytes_give_documents_rejections_or_one_sentence(tmp_path: Path, content: bytes, ending: str) -> None:
    path = write(tmp_path, f"any.{ending}", content)
    with contextlib.suppress(RetrieverError):  # a sentence; anything else is a crash
        for found in read_documents(path):
            if isinstance(found, Document):
                found.text.encode("utf-8")
                assert "\0" not in found.text
                assert found.text.strip()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rows=st.lists(
        st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=8
    )
)
def test_texts_come_back_from_json_lines_as_they_went_in(tmp_path: Path, rows: list[str]) -> None:
    path = write(tmp_path, "any.jsonl", "\n".join(json.dumps({"text": row}) for row in rows))
    assert texts(path) == [row.removeprefix("\ufeff") for row in rows if row.removeprefix("\ufeff").strip()]
