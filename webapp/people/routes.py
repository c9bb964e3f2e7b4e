"""Sign in by link, sign out, and the page where an administrator adds people."""

from flask import Blueprint, Response, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.audit import record
from webapp.db import write
from webapp.errors import Invalid, NotFound
from webapp.home import settings
from webapp.htmx import redirect_to, render
from webapp.models import ROLES, Person
from webapp.people import service

bp = Blueprint("people", __name__)


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return _sign_in_page(token=request.args.get("token", ""))


def _sign_in_page(*, token: str = "", problem: str = "") -> Response:
    return render("people/sign_in.html", token=token, problem=problem, hint=service.HOW_TO_GET_IN)


@bp.post("/sign-in")
def use_link() -> ResponseReturnValue:
    inside = redirect_to(url_for("projects.index", enter="yes"))
    try:
        with write() as rows:
            person, secret = service.sign_in(rows, request.form.get("token", ""))
            record(rows, "person.sign_in", person_id=person.id)
    except Invalid as error:
        # Who opens a used link again is mostly who used it, and is signed in still.
        return inside if service.current_person() is not None else (_sign_in_page(problem=str(error)), 400)
    session.clear()  # a CSRF token handed out before signing in is worth nothing afterwards
    inside.set_cookie(
        service.COOKIE,
        secret,
        max_age=int(service.ABSOLUTE_LIFE.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=request.is_secure or settings().https,
    )
    return inside


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    with write() as rows:
        service.sign_out(rows, request.cookies.get(service.COOKIE, ""))
    session.clear()
    response = redirect_to(url_for("people.sign_in"))
    response.delete_cookie(service.COOKIE)
    return response


def _person_or_404(rows: Session, person_id: int) -> Person:
    person = rows.get(Person, person_id)
    if person is None:
        raise NotFound("There is no such person; the page of people lists everybody.")
    return person


@bp.get("/people")
@service.require("admin")
def index() -> ResponseReturnValue:
    return _page()


def _page(*, link: str = "", link_for: str = "", errors: dict[str, str] | None = None) -> Response:
    return render(
        "people/index.html",
        "people",
        people=service.list_people(),
        roles=ROLES,
        link=link,
        link_for=link_for,
        errors=errors or {},
        values={} if link else request.form,
    )


def _link_address(token: str) -> str:
    return url_for("people.sign_in", token=token, _external=True)


@bp.post("/people")
@service.require("admin")
def add() -> ResponseReturnValue:
    try:
        with write() as rows:
            person = service.create_person(
                rows, request.form.get("name", ""), role=request.form.get("role", "annotator")
            )
            token = service.create_link(rows, person)
            record(rows, "person.add", name=person.name, role=person.role)
    except Invalid as error:
        return _page(errors=error.fields or {"name": str(error)}), 400
    return _page(link=_link_address(token), link_for=person.name)


@bp.post("/people/<int:person_id>/link")
@service.require("admin")
def link(person_id: int) -> ResponseReturnValue:
    with write() as rows:
        person = _person_or_404(rows, person_id)
        token = service.create_link(rows, person)
        record(rows, "person.link", name=person.name)
    return _page(link=_link_address(token), link_for=person.name)


@bp.post("/people/<int:person_id>/active")
@service.require("admin")
def active(person_id: int) -> ResponseReturnValue:
    with write() as rows:
        person = _person_or_404(rows, person_id)
        is_active = request.form.get("active") == "yes"
        service.set_active(rows, person, is_active)
        record(rows, "person.enable" if is_active else "person.disable", name=person.name)
    return redirect_to(url_for("people.index"))


@bp.post("/people/<int:person_id>/role")
@service.require("admin")
def role(person_id: int) -> ResponseReturnValue:
    with write() as rows:
        person = _person_or_404(rows, person_id)
        service.set_role(rows, person, request.form.get("role", ""))
        record(rows, "person.role", name=person.name, role=request.form.get("role", ""))
    return redirect_to(url_for("people.index"))
