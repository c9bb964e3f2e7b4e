"""Settings: ``ERRATA_*`` variables read once into one frozen dataclass; unknown or malformed ones are refused."""

import difflib
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from webapp.errors import Invalid

PREFIX = "ERRATA_"
MOST_WEB_PROCESSES = 32


def setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Settings:
    home: Path = setting(
        Path("~/.errata").expanduser(), "Folder that holds everything: database, models, indexes, logs."
    )
    host: str = setting("127.0.0.1", "Address the web server listens on.")
    port: int = setting(8765, "Port the web server listens on.")
    allow_public: bool = setting(
        False, "Listen on an address other machines can reach; needed when ERRATA_HOST is not loopback."
    )
    trusted_hosts: str = setting(
        "", "Host names, separated by commas, under which browsers reach the server besides loopback."
    )
    https: bool = setting(False, "The site is reached through HTTPS (behind a proxy): cookies are marked Secure.")
    database_url: str = setting(
        "", "PostgreSQL address such as postgresql+psycopg://user@host/errata; empty means SQLite in ERRATA_HOME."
    )
    secret_key: str = setting(
        "", "Key that signs cookies, at least 32 characters; empty means one made at first start."
    )
    web_processes: int = setting(
        0, "Web processes that share the address; 0 takes two on a machine of at least two cores, else one."
    )
    threads: int = setting(8, "Requests each web process answers at once.")
    upload_mb: int = setting(200, "Largest upload, in megabytes.")
    engine_url: str = setting("", "Address of an engine that runs elsewhere; empty means the local one.")
    engine_port: int = setting(0, "Port of the local engine on loopback; 0 takes a free one.")
    engine_projects: int = setting(2, "Projects whose models the engine keeps in memory at once.")
    torch_threads: int = setting(0, "Threads torch may use in the engine and in jobs; 0 lets torch decide.")
    model_cache: Path | None = setting(
        None, "Folder for models fetched from the hub; empty means models/ in ERRATA_HOME."
    )
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    open_browser: bool = setting(True, "Open the address in a browser when the server starts on a desktop.")

    def url(self, port: int | None = None) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::') else host}:{port or self.port}"


def web_processes(settings: Settings) -> int:
    """How many there are to be. More than two gain nothing: they wait for the one writer of the database."""
    return settings.web_processes or min(2, _cores())


def _cores() -> int:
    """Those this process may use: a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def variable(name: str) -> str:
    return PREFIX + name.upper()


def _truth(value: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    return words[value.strip().lower()]


def _parse(name: str, kind: Any, value: str) -> Any:
    parsers: dict[Any, tuple[Callable[[str], Any], str]] = {int: (int, "a whole number"), bool: (_truth, "yes or no")}
    if kind in parsers:
        parser, expected = parsers[kind]
        try:
            return parser(value)
        except (ValueError, KeyError):
            raise Invalid(f"{variable(name)} must be {expected}, not {value!r}; correct it or unset it.") from None
    return value if kind is str else Path(value).expanduser().absolute()


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [variable(item.name) for item in fields(Settings)]
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(
                name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], n=1
            )
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known are {', '.join(known)}."
            raise Invalid(f"{name} is not a setting of Errata; {hint}")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(settings: Settings) -> Settings:
    for name in ("threads", "upload_mb", "engine_projects"):
        if getattr(settings, name) < 1:
            raise Invalid(f"{variable(name)} must be at least 1, not {getattr(settings, name)}.")
    if not 0 <= settings.web_processes <= MOST_WEB_PROCESSES:
        raise Invalid(
            f"ERRATA_WEB_PROCESSES must be from 0 (as many as fit the machine) to {MOST_WEB_PROCESSES}, not {settings.web_processes}."
        )
    for name in ("port", "engine_port"):
        if not 0 <= getattr(settings, name) <= 65535:
            raise Invalid(f"{variable(name)} must be a port from 0 to 65535, not {getattr(settings, name)}.")
    if settings.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise Invalid(f"ERRATA_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {settings.log_level!r}.")
    if settings.secret_key and len(settings.secret_key) < 32:
        raise Invalid("ERRATA_SECRET_KEY is shorter than 32 characters; unset it and Errata makes a good one itself.")
    if not is_loopback(settings.host) and not settings.allow_public:
        raise Invalid(
            f"ERRATA_HOST={settings.host} can be reached from other machines; set ERRATA_ALLOW_PUBLIC=yes if that is meant, "
            "or use 127.0.0.1."
        )
    return settings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in ``environ``. Raises :class:`webapp.errors.Invalid` with one sentence naming the variable."""
    _refuse_unknown(environ)
    values: dict[str, Any] = {}
    for item in fields(Settings):
        value = environ.get(variable(item.name), "")
        if not value and item.name == "database_url":
            value = environ.get("DATABASE_URL", "")
        if value:
            kind = Path if item.type == Path | None else item.type
            values[item.name] = _parse(item.name, kind, value)
    return _check(Settings(**values))


def documented() -> list[tuple[str, str, str]]:
    """(variable, default, help) of every setting, for the README's table and ``errata serve --help``."""
    rows = []
    for item in fields(Settings):
        default = "" if item.default is MISSING or item.default is None else str(item.default)
        if isinstance(item.default, bool):
            default = "yes" if item.default else "no"
        rows.append((variable(item.name), default.replace(str(Path.home()), "~"), item.metadata["help"]))
    return rows
