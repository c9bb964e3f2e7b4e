"""A look into a Parquet file from the web process, which must not load what reads one."""

import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from flask.testing import FlaskClient

from webapp.corpus.importing import open_source, sniff_file
from webapp.errors import Invalid
from webapp.models import Project

ROOT = Path(__file__).parents[2]


def table(path: Path, **columns: list[str]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_the_columns_of_a_parquet_file_are_found_without_loading_its_reader(tmp_path: Path) -> None:
    path = table(tmp_path / "menu.parquet", words=["Fish", "Peas"], code=["1", "2"])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from webapp.corpus.importing import open_source, sniff_file\n"
        "found = sniff_file(open_source(Path(sys.argv[1]), kind='documents'), kind='documents')\n"
        "print(found.names, dict(found.rows[1]), found.guess, 'pyarrow' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "('words', 'code') {'words': 'Peas', 'code': '2'} None False"


def test_an_uploaded_parquet_file_with_other_names_comes_to_the_mapping_form(
    client: FlaskClient, project: Project, tmp_path: Path
) -> None:
    path = table(tmp_path / "menu.parquet", words=["Fish"], code=["1"])
    with path.open("rb") as file:
        answer = client.post(
            f"/p/{project.id}/corpus/import", data={"kind": "documents", "file": (file, "menu.parquet")}
        )
    form = client.get(answer.headers["Location"]).text
    assert "First rows of the file" in form
    assert "<td>Fish</td>" in form


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "its marks are missing"),
        (b"PAR1", "its marks are missing"),
        (b"PAR1 cut in the middle", "its marks are missing"),
        (b"PAR1 marked, and no table all the same PAR1", "not a readable Parquet file"),
    ],
)
def test_what_is_no_parquet_file_is_said(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "menu.parquet"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=sentence):
        sniff_file(open_source(path, kind="documents"), kind="documents")
