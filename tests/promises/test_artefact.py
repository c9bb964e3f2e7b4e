"""The artefact promise: whole or absent, on disk before it has its name, never overwritten, checked before it is read."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from training import artefact

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from training import artefact
with artefact.writing(Path(sys.argv[1]), kind="answerer") as temporary:
    (temporary / "weights").write_text("half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write_answerer(folder: Path) -> None:
    with artefact.writing(folder, kind="answerer", parents={"base": "reader"}) as temporary:
        (temporary / "weights").write_bytes(b"12345678")
        (temporary / "inner").mkdir()
        (temporary / "inner" / "settings.json").write_text("{}", encoding="utf-8")


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), artefact.writing(tmp_path / "a", kind="answerer") as temporary:  # noqa: PT012
        (temporary / "weights").write_text("half of it")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kill
def test_a_process_killed_while_writing_leaves_no_folder_of_that_name(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path / "a")]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode < 0
    assert not (tmp_path / "a").exists()
    write_answerer(tmp_path / "a")  # and what it left is in nobody's way
    artefact.verify(tmp_path / "a", kind="answerer")


def test_every_byte_is_on_disk_before_the_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    write_answerer(tmp_path / "a")
    before, after = done[: done.index("renamed")], done[done.index("renamed") + 1 :]
    assert {"weights", "settings.json", "manifest.json", "inner"} < set(before)
    assert any(name.startswith("tmp-") for name in before)
    assert after == [tmp_path.name]  # the name itself


def test_an_artefact_is_never_overwritten(tmp_path: Path) -> None:
    write_answerer(tmp_path / "a")
    with pytest.raises(FileExistsError, match="never overwritten"):
        write_answerer(tmp_path / "a")


def _alter(folder: Path) -> None:
    (folder / "weights").write_bytes(b"12345679")


def _truncate(folder: Path) -> None:
    (folder / "weights").write_bytes(b"1234567")


def _remove(folder: Path) -> None:
    (folder / "inner" / "settings.json").unlink()


def _add(folder: Path) -> None:
    (folder / "inner" / "more.json").write_text("{}", encoding="utf-8")


def _forget(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_alter, "weights is damaged"),
        (_truncate, "weights is damaged"),
        (_remove, "inner/settings.json is missing"),
        (_add, "inner/more.json is not listed"),
        (_forget, "no readable manifest.json"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    write_answerer(tmp_path / "a")
    assert artefact.verify(tmp_path / "a", kind="answerer")["parents"] == {"base": "reader"}
    damage(tmp_path / "a")
    with pytest.raises(artefact.DamagedArtefact, match=words):
        artefact.verify(tmp_path / "a", kind="answerer")


def test_an_artefact_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_answerer(tmp_path / "a")
    with pytest.raises(artefact.DamagedArtefact, match="'answerer' artefact where a 'index' was expected"):
        artefact.verify(tmp_path / "a", kind="index")
