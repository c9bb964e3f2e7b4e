"""serve, demo, engine, worker."""

import getpass
import logging
import os
import webbrowser
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.cli.common import opened
from webapp.settings import Settings, documented, read_settings

SETTINGS_HELP = "\b\n" + "\n".join(f"{name:<24} {help}" for name, _, help in documented())


def sign_in_address(url: str, *, always: bool) -> str:
    """The address with a one-time link for the first administrator, who is created if there is nobody yet.

    Only the bare address when somebody is signed in already, unless ``always``.
    """
    from webapp.db import write
    from webapp.models import SignIn, db, now
    from webapp.people.service import create_link

    someone = db.session.scalar(select(SignIn.id).where(SignIn.expires_at > now()).limit(1))
    if someone is not None and not always:
        return f"{url}/"
    with write() as session:
        token = create_link(session, _administrator(session))
    return f"{url}/sign-in?token={token}"


def _administrator(session: Session) -> Any:
    from webapp.models import Person
    from webapp.people.service import create_person

    found = session.scalar(select(Person).where(Person.role == "admin", Person.active).order_by(Person.id).limit(1))
    return found or create_person(session, _user_name(), role="admin")


def _user_name() -> str:
    """Of the account on this machine; "root" says nothing of a person, as in a container."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "root"
    return "admin" if name == "root" else name


def _with(settings: Settings, host: str | None, port: int | None) -> Settings:
    environ = {**os.environ}
    if host is not None:
        environ["ERRATA_HOST"] = host
    if port is not None:
        environ["ERRATA_PORT"] = str(port)
    return read_settings(environ)


def _may_open(settings: Settings) -> bool:
    has_screen = (
        os.name == "nt" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ or os.uname().sysname == "Darwin"
    )
    return settings.open_browser and has_screen


def run_everything(settings: Settings, *, may_choose: bool, always_link: bool) -> None:
    """Until stopped: the processes, and the address for a person."""
    from webapp.processes.address import open_address, port_of
    from webapp.processes.common import stop_on_signal
    from webapp.processes.supervisor import Supervisor, hold_home

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    with hold_home(settings) as held, open_address(settings, may_choose=may_choose) as listener:
        url = settings.url(port_of(listener))
        held.truncate(0)
        held.write(url)
        held.flush()
        supervisor = Supervisor(settings, listener=listener, stop=stop_on_signal())

        def ready() -> None:
            with opened(settings):
                address = sign_in_address(url, always=always_link)
            click.echo(f"Errata is ready: {address}")
            click.echo("Press Ctrl+C to stop.")
            if _may_open(settings):
                webbrowser.open(address)

        click.echo("Starting the pages, the engine that answers, and the worker", err=True)
        supervisor.run(ready=ready)
    click.echo("Stopped.")


@click.command("serve", epilog=SETTINGS_HELP)
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
def serve(host: str | None, port: int | None) -> None:
    """Start the pages, the engine and the worker; restart what dies; stop with Ctrl+C."""
    settings = _with(read_settings(os.environ), host, port)
    with opened(settings):
        pass  # made and upgraded once, before several processes open it
    run_everything(settings, may_choose=False, always_link=False)


@click.command("demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; by default 8765, or a free one when that is taken.",
)
@click.option("--prepare-only", is_flag=True, help="Create the project and stop.")
def demo(port: int | None, prepare_only: bool) -> None:
    """A project that works at once, without a network: a small corpus, questions, and a model to correct."""
    from webapp.cli.ticking import ticking
    from webapp.demo.setup import prepare_demo

    asked = port is not None or "ERRATA_PORT" in os.environ
    settings = _with(read_settings(os.environ), None, port)
    with opened(settings), ticking() as tell:
        prepare_demo(say=tell.say, report=tell.report)
    if not prepare_only:
        run_everything(settings, may_choose=not asked, always_link=True)


@click.command("engine")
def engine() -> None:
    """Run the engine alone; it loads the releases in service and answers typed questions."""
    from webapp.processes.common import start_logging, stop_on_signal
    from webapp.processes.engine import run

    with opened() as app:
        start_logging(app.config["ERRATA"])
        run(app, stop=stop_on_signal())


@click.command("worker")
def worker() -> None:
    """Run the worker alone; it does imports, indexing, answers ahead of time, training and exports."""
    from webapp.processes.common import start_logging, stop_on_signal
    from webapp.processes.worker import run

    with opened() as app:
        start_logging(app.config["ERRATA"])
        run(app, stop=stop_on_signal())
