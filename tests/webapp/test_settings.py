"""Settings come from ERRATA_* variables, all of them, correctly or not at all."""

import re
from pathlib import Path

import pytest

from webapp.errors import Invalid
from webapp.home import absolute, read_or_make_key
from webapp.settings import Settings, documented, read_settings, web_processes


def test_without_variables_everything_has_a_default() -> None:
    settings = read_settings({})
    assert (settings.host, settings.port, settings.threads) == ("127.0.0.1", 8765, 8)
    assert settings.home == Path("~/.errata").expanduser()


def test_variables_are_read_with_their_types(tmp_path: Path) -> None:
    environ = {
        "ERRATA_HOME": str(tmp_path),
        "ERRATA_PORT": "0",
        "ERRATA_OPEN_BROWSER": "no",
        "PATH": "/bin",
        "ERRATA_THREADS": "",
    }
    settings = read_settings(environ)
    assert (settings.home, settings.port, settings.open_browser, settings.threads) == (tmp_path, 0, False, 8)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ERRATA_PROT", "1", "did you mean ERRATA_PORT"),
        ("ERRATA_XYZZY", "1", "known are ERRATA_HOME"),
        ("ERRATA_PORT", "eighty", "ERRATA_PORT must be a whole number, not 'eighty'"),
        ("ERRATA_PORT", "70000", "0 to 65535"),
        ("ERRATA_OPEN_BROWSER", "perhaps", "yes or no"),
        ("ERRATA_THREADS", "0", "at least 1"),
        ("ERRATA_WEB_PROCESSES", "-1", "ERRATA_WEB_PROCESSES must be from 0 .* to 32, not -1"),
        ("ERRATA_WEB_PROCESSES", "33", "to 32, not 33"),
        ("ERRATA_WEB_PROCESSES", "two", "must be a whole number, not 'two'"),
        ("ERRATA_LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("ERRATA_SECRET_KEY", "password", "shorter than 32"),
        ("ERRATA_HOST", "0.0.0.0", "ERRATA_ALLOW_PUBLIC=yes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(variable: str, value: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_settings({variable: value})
    assert re.search(words, str(refused.value))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (16, 2)])
def test_there_are_two_web_processes_where_there_are_two_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert web_processes(read_settings({})) == expected
    assert web_processes(read_settings({"ERRATA_WEB_PROCESSES": "3"})) == 3


def test_a_public_address_is_taken_when_it_is_meant() -> None:
    assert read_settings({"ERRATA_HOST": "0.0.0.0", "ERRATA_ALLOW_PUBLIC": "yes"}).host == "0.0.0.0"


def test_database_url_is_read_from_its_usual_name_too() -> None:
    assert read_settings({"DATABASE_URL": "postgresql://x"}).database_url == "postgresql://x"
    both = {"DATABASE_URL": "postgresql://x", "ERRATA_DATABASE_URL": "postgresql://y"}
    assert read_settings(both).database_url == "postgresql://y"


def test_every_setting_has_its_help() -> None:
    assert len(documented()) == len(Settings.__dataclass_fields__)
    assert all(len(help) > 10 and help.endswith(".") for _, _, help in documented())


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = read_or_make_key(path)
    assert len(first) == 64
    assert path.stat().st_mode & 0o077 == 0
    assert read_or_make_key(path) == first


def test_a_stored_path_cannot_leave_the_home(app: object) -> None:
    from webapp.errors import Damaged

    with pytest.raises(Damaged):
        absolute("../../etc/passwd")
