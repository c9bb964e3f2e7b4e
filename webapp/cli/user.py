"""user add, link, list, role, disable, enable."""

import click

from webapp.cli.common import emit, json_option, opened
from webapp.models import ROLES


@click.group("user")
def user() -> None:
    """Add people, make their sign-in links, disable them."""


def _address(token: str) -> str:
    from webapp.health import web_url
    from webapp.home import settings

    url = web_url() or settings().url()
    return f"{url}/sign-in?token={token}"


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="annotator", show_default=True)
@json_option
def add(name: str, role: str, as_json: bool) -> None:
    """Add a person named NAME and print their one-time sign-in link."""
    from webapp.audit import record
    from webapp.db import write
    from webapp.people.service import create_link, create_person

    with opened():
        with write() as session:
            person = create_person(session, name, role=role)
            token = create_link(session, person)
            record(session, "person.add", name=person.name, role=role)
        values = {"person": person.id, "name": person.name, "role": role, "link": _address(token)}
        emit(
            values, as_json=as_json, text=f"{person.name} ({role}) signs in once within 72 hours with\n{values['link']}"
        )


@user.command("link")
@click.argument("name")
@json_option
def link(name: str, as_json: bool) -> None:
    """Print a new one-time sign-in link for NAME."""
    from webapp.audit import record
    from webapp.db import write
    from webapp.people.service import create_link, person_by_name

    with opened():
        person = person_by_name(name)
        with write() as session:
            token = create_link(session, person)
            record(session, "person.link", name=person.name)
        emit({"name": person.name, "link": _address(token)}, as_json=as_json, text=_address(token))


@user.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List everybody."""
    from webapp.people.service import list_people

    with opened():
        people = [{"person": one.id, "name": one.name, "role": one.role, "active": one.active} for one in list_people()]
        lines = [f"{one['name']}  {one['role']}{'' if one['active'] else '  disabled'}" for one in people]
        emit(
            {"people": people},
            as_json=as_json,
            text="\n".join(lines) or "Nobody yet: errata user add NAME --role admin",
        )


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@json_option
def change_role(name: str, role: str, as_json: bool) -> None:
    """Give NAME another role; they sign in again."""
    from webapp.audit import record
    from webapp.db import write
    from webapp.people.service import person_by_name, set_role

    with opened():
        person = person_by_name(name)
        with write() as session:
            set_role(session, person, role)
            record(session, "person.role", name=name, role=role)
        emit({"name": name, "role": role}, as_json=as_json, text=f"{name} is {role} now.")


def _set_active(name: str, active: bool, as_json: bool) -> None:
    from webapp.audit import record
    from webapp.db import write
    from webapp.people.service import person_by_name, set_active

    with opened():
        person = person_by_name(name)
        with write() as session:
            set_active(session, person, active)
            record(session, "person.enable" if active else "person.disable", name=name)
        emit(
            {"name": name, "active": active}, as_json=as_json, text=f"{name} is {'enabled' if active else 'disabled'}."
        )


@user.command("disable")
@click.argument("name")
@json_option
def disable(name: str, as_json: bool) -> None:
    """Sign NAME out everywhere at once and refuse their links; their labels stay."""
    _set_active(name, False, as_json)


@user.command("enable")
@click.argument("name")
@json_option
def enable(name: str, as_json: bool) -> None:
    """Let NAME in again."""
    _set_active(name, True, as_json)
