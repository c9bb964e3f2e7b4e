"""Links, sign-ins, roles, and what ends them."""

import datetime as dt
from pathlib import Path

import pytest
from conftest import sign_in_as
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from webapp.db import write
from webapp.errors import Invalid
from webapp.models import AuditEvent, Person, Project, SignIn, SignInLink, db, now
from webapp.people import service


def make_link(name: str, role: str = "annotator") -> str:
    with write() as session:
        return service.create_link(session, service.create_person(session, name, role=role))


def test_nobody_gets_in_without_a_link(anonymous: FlaskClient) -> None:
    response = anonymous.get("/")
    assert response.status_code == 401
    assert "errata user link" in response.text


def test_a_link_signs_in_once(app: Flask) -> None:
    token = make_link("Ada")
    first, second = app.test_client(), app.test_client()
    assert first.post("/sign-in", data={"token": token}).status_code == 303
    assert first.get("/").status_code == 200
    again = second.post("/sign-in", data={"token": token})
    assert again.status_code == 400
    assert "Sign in to Errata" in again.text
    assert "This sign-in link was used already or has expired; ask an administrator for a new one" in again.text
    assert second.get("/").status_code == 401


def test_a_used_link_leads_whoever_is_signed_in_home(app: Flask, project: Project) -> None:
    token = make_link("Ben")
    ben = app.test_client()
    home = ben.post("/sign-in", data={"token": token}).headers["Location"]
    again = ben.post("/sign-in", data={"token": token})
    assert (again.status_code, again.headers["Location"]) == (303, home)
    assert ben.get(home).headers["Location"] == f"/p/{project.id}/annotate"
    assert db.session.scalar(select(func.count()).select_from(SignIn)) == 1
    ben.post("/sign-out")
    assert ben.post("/sign-in", data={"token": token}).status_code == 400


def test_opening_a_link_writes_nothing_and_works_without_javascript(anonymous: FlaskClient) -> None:
    token = make_link("Ada")
    page = anonymous.get(f"/sign-in?token={token}")
    assert page.status_code == 200
    assert f'value="{token}"' in page.text
    assert 'method="post"' in page.text
    assert db.session.scalar(select(SignInLink.used_at)) is None
    assert db.session.scalar(select(func.count()).select_from(SignIn)) == 0


def test_an_expired_link_is_refused(anonymous: FlaskClient) -> None:
    token = make_link("Ada")
    with write() as session:
        session.execute(update(SignInLink).values(expires_at=now() - dt.timedelta(seconds=1)))
    assert anonymous.post("/sign-in", data={"token": token}).status_code == 400


def test_only_hashes_of_tokens_are_stored(app: Flask, settings: object) -> None:
    token = make_link("Ada")
    client = app.test_client()
    client.post("/sign-in", data={"token": token})
    cookie = client.get_cookie(service.COOKIE)
    assert cookie is not None
    assert len(cookie.value) >= 43  # 256 bits
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    stored = b"".join(path.read_bytes() for path in Path(app.config["ERRATA"].home).glob("errata.sqlite3*"))
    assert token.encode() not in stored
    assert cookie.value.encode() not in stored


def test_signing_in_gives_a_new_csrf_token(app: Flask) -> None:
    client = app.test_client()
    client.get("/sign-in")
    with client.session_transaction() as before:
        old = before.get("csrf_token")
    client.post("/sign-in", data={"token": make_link("Ada")})
    with client.session_transaction() as after:
        assert after.get("csrf_token") != old


def test_signing_out_ends_the_sign_in_for_good(client: FlaskClient) -> None:
    cookie = client.get_cookie(service.COOKIE)
    assert cookie is not None
    client.post("/sign-out")
    client.set_cookie(service.COOKIE, cookie.value)
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("idle", [dt.timedelta(hours=8, minutes=1), dt.timedelta(days=1)])
def test_an_idle_sign_in_ends(client: FlaskClient, idle: dt.timedelta) -> None:
    with write() as session:
        session.execute(update(SignIn).values(last_seen_at=now() - idle))
    assert client.get("/").status_code == 401


def test_a_sign_in_ends_after_seven_days_however_busy(client: FlaskClient) -> None:
    ends = db.session.scalars(select(SignIn.expires_at)).one()
    assert dt.timedelta(days=6, hours=23) < ends - now() <= dt.timedelta(days=7)
    with write() as session:
        session.execute(update(SignIn).values(expires_at=now()))
    assert client.get("/").status_code == 401


def test_using_a_sign_in_keeps_it_alive_without_writing_in_the_request(client: FlaskClient) -> None:
    nearly = now() - dt.timedelta(hours=7)
    with write() as session:
        session.execute(update(SignIn).values(last_seen_at=nearly))
    client.get("/")
    assert db.session.scalars(select(SignIn.last_seen_at)).one() == nearly
    with write() as session:
        service.flush_seen(session)
    assert now() - db.session.scalars(select(SignIn.last_seen_at)).one() < dt.timedelta(minutes=1)


def test_what_another_web_process_saw_later_is_kept(app: Flask, client: FlaskClient) -> None:
    later = now() + dt.timedelta(minutes=3)
    with write() as session:
        session.execute(update(SignIn).values(last_seen_at=now() - dt.timedelta(hours=1)))
    assert client.get("/").status_code == 200
    with write() as session:
        session.execute(update(SignIn).values(last_seen_at=later))
        service.flush_seen(session)
    assert db.session.scalars(select(SignIn.last_seen_at)).one() == later


def test_disabling_a_person_takes_effect_on_their_next_request(app: Flask, client: FlaskClient) -> None:
    ben = sign_in_as(app, "Ben", "annotator")
    waiting = make_link("Eve")
    with write() as session:
        for name in ("Ben", "Eve"):
            service.set_active(session, service.person_by_name(name), False)
    assert ben.get("/").status_code == 401
    assert app.test_client().post("/sign-in", data={"token": waiting}).status_code == 400


def test_a_changed_role_takes_effect_on_the_next_request(app: Flask, client: FlaskClient) -> None:
    cy = sign_in_as(app, "Cy", "engineer")
    assert cy.get("/projects/new").status_code == 200
    with write() as session:
        service.set_role(session, service.person_by_name("Cy"), "annotator")
    assert cy.get("/projects/new").status_code == 401


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("annotator", "/people", 403),
        ("engineer", "/people", 403),
        ("admin", "/people", 200),
        ("annotator", "/projects/new", 403),
        ("engineer", "/projects/new", 200),
        ("annotator", "/", 200),
    ],
)
def test_a_role_opens_its_pages_and_no_others(app: Flask, role: str, path: str, status: int) -> None:
    assert sign_in_as(app, "Someone", role).get(path).status_code == status


def test_the_last_administrator_cannot_be_locked_out(client: FlaskClient) -> None:
    ada = service.person_by_name("Ada")
    for change in (
        lambda rows: service.set_active(rows, ada, False),
        lambda rows: service.set_role(rows, ada, "annotator"),
    ):
        with pytest.raises(Invalid, match="last administrator"), write() as session:
            change(session)


def test_an_administrator_adds_a_person_on_the_page_and_gets_their_link(app: Flask, client: FlaskClient) -> None:
    page = client.post("/people", data={"name": "  Ben   Okri ", "role": "annotator"})
    assert page.status_code == 200
    assert 'value="  Ben' not in page.text  # the form is ready for the next person
    token = page.text.split("sign-in?token=")[1].split("<")[0].split('"')[0].strip()
    assert app.test_client().post("/sign-in", data={"token": token}).status_code == 303
    assert db.session.scalars(select(Person.name).where(Person.role == "annotator")).one() == "Ben Okri"
    actions = set(db.session.scalars(select(AuditEvent.action)))
    assert {"person.add", "person.sign_in"} <= actions


def test_a_name_that_is_taken_is_said_beside_the_field(client: FlaskClient) -> None:
    page = client.post("/people", data={"name": "Ada", "role": "annotator"})
    assert page.status_code == 400
    assert "taken" in page.text
    assert 'value="Ada"' in page.text


def test_the_page_of_people_disables_and_enables(app: Flask, client: FlaskClient, person: Person) -> None:
    client.post(f"/people/{person.id}/active", data={"active": "no"})
    assert db.session.get_one(Person, person.id).active is False
    client.post(f"/people/{person.id}/active", data={"active": "yes"})
    assert db.session.get_one(Person, person.id).active is True


@pytest.mark.parametrize(("account", "name"), [("root", "admin"), ("noa", "noa")])
def test_the_first_administrator_is_named_after_the_account_and_never_root(
    app: Flask, monkeypatch: pytest.MonkeyPatch, account: str, name: str
) -> None:
    from webapp.cli.serve import sign_in_address

    monkeypatch.setattr("getpass.getuser", lambda: account)
    assert "/sign-in?token=" in sign_in_address("http://127.0.0.1:1", always=False)
    assert [(one.name, one.role) for one in service.list_people()] == [(name, "admin")]
