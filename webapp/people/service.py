"""People without passwords: one-time links, server-side sign-ins, three roles."""

import datetime as dt
import functools
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import g, has_request_context, request
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from webapp.errors import Forbidden, Invalid, NotFound, SignInNeeded
from webapp.models import ROLES, Person, Question, SignIn, SignInLink, db, now

COOKIE = "errata_sign_in"
LINK_LIFE = dt.timedelta(hours=72)
IDLE_LIFE = dt.timedelta(hours=8)
ABSOLUTE_LIFE = dt.timedelta(days=7)
SEEN_EVERY = dt.timedelta(minutes=1)
HOW_TO_GET_IN = "ask an administrator for a new one, or run `errata user link NAME` on the machine Errata runs on."

# Built once, and of tables instead of classes, which takes half the time: every request runs it.
_sign_in, _person = SignIn.__table__.c, Person.__table__.c
_SIGNED_IN = (
    select(_sign_in.id, _sign_in.last_seen_at, _person.id, _person.name, _person.role)
    .join(Person.__table__, _person.id == _sign_in.person_id)
    .where(_sign_in.token_sha256 == bindparam("token"), _sign_in.expires_at > bindparam("now"), _person.active)
)

# Sign-ins used since the last flush_seen(): a request never writes just because it was made. Each web process has its own.
_seen: dict[int, dt.datetime] = {}


@dataclass(frozen=True)
class SignedIn:
    """The signed-in person, as far as a request needs to know."""

    id: int
    name: str
    role: str


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def current_person() -> SignedIn | None:
    """Who sends this request; None when nobody is signed in or outside a request. One query a request."""
    if not has_request_context():
        return None
    if "person" not in g:
        token = request.cookies.get(COOKIE, "")
        g.person = _find_signed_in(token) if token else None
    found: SignedIn | None = g.person
    return found


def viewer_id() -> int:
    """Whoever looks at the page, for what is hidden from some; 0, which no person has, when nobody is signed in."""
    person = current_person()
    return person.id if person is not None else 0


def _find_signed_in(token: str) -> SignedIn | None:
    row = db.session.execute(_SIGNED_IN, {"token": _sha256(token), "now": now()}).first()
    if row is None:
        return None
    sign_in_id, last_seen_at, person_id, name, role = row
    if _seen.get(sign_in_id, last_seen_at) < now() - IDLE_LIFE:
        return None
    if last_seen_at < now() - SEEN_EVERY:
        _seen[sign_in_id] = now()
    return SignedIn(person_id, name, role)


def flush_seen(session: Session) -> None:
    """Store when sign-ins were last used; the web process calls this with its heartbeat."""
    while _seen:
        sign_in_id, seen_at = _seen.popitem()
        # Another web process may have seen it later.
        earlier = (SignIn.id == sign_in_id) & (SignIn.last_seen_at < seen_at)
        session.execute(update(SignIn).where(earlier).values(last_seen_at=seen_at))


def has_seen() -> bool:
    return bool(_seen)


def has_role(person: SignedIn | Person, role: str) -> bool:
    return ROLES.index(person.role) >= ROLES.index(role)


def require(role: str = "annotator") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a route: only a signed-in person with this role or a higher one gets in."""
    ROLES.index(role)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            person = current_person()
            if person is None:
                raise SignInNeeded(f"Nobody is signed in here. Open your sign-in link, or {HOW_TO_GET_IN}")
            if not has_role(person, role):
                raise Forbidden(
                    f"Only an {role}{' or administrator' if role == 'engineer' else ''} may do this, and {person.name} is an "
                    f"{person.role} here; ask an administrator."
                )
            return view(*args, **kwargs)

        guarded.required_role = role  # type: ignore[attr-defined]
        return guarded

    return decorate


def clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise Invalid("A name has 1 to 80 printable characters.", {"name": "Give a name of 1 to 80 characters."})
    return name


def create_person(session: Session, name: str, *, role: str = "annotator") -> Person:
    name = clean_name(name)
    if role not in ROLES:
        raise Invalid(f"The role {role!r} is not known; it is one of {', '.join(ROLES)}.", {"role": "Choose a role."})
    if session.scalar(select(Person).where(Person.name == name)):
        raise Invalid(f"There is a person named {name} already; choose another name.", {"name": "This name is taken."})
    person = Person(name=name, role=role)
    session.add(person)
    session.flush()
    return person


def person_by_name(name: str) -> Person:
    person = db.session.scalar(select(Person).where(Person.name == name))
    if person is None:
        raise NotFound(
            f"There is no person named {name}; `errata user list` shows everybody, `errata user add` adds one."
        )
    return person


def list_people() -> list[Person]:
    return list(db.session.scalars(select(Person).order_by(Person.name)))


def create_link(session: Session, person: Person) -> str:
    """The token of a new one-time link; only its hash is stored."""
    if not person.active:
        raise Invalid(f"{person.name} is disabled; enable them first.")
    token = secrets.token_urlsafe(32)
    session.add(SignInLink(person_id=person.id, token_sha256=_sha256(token), expires_at=now() + LINK_LIFE))
    return token


def sign_in(session: Session, link_token: str) -> tuple[Person, str]:
    """Use a link, once; returns the person and the secret for their cookie."""
    used = (
        update(SignInLink)
        .where(
            SignInLink.token_sha256 == _sha256(link_token), SignInLink.used_at.is_(None), SignInLink.expires_at > now()
        )
        .values(used_at=now())
        .returning(SignInLink.person_id)
    )
    person_id = session.execute(used).scalar()
    person = session.get(Person, person_id) if person_id is not None else None
    if person is None or not person.active:
        raise Invalid(f"This sign-in link was used already or has expired; {HOW_TO_GET_IN}")
    secret = secrets.token_urlsafe(32)
    session.add(SignIn(person_id=person.id, token_sha256=_sha256(secret), expires_at=now() + ABSOLUTE_LIFE))
    return person, secret


def sign_out(session: Session, secret: str) -> None:
    """End this sign-in and give back the questions its person holds, so that nobody waits for their leases to run out."""
    ended = delete(SignIn).where(SignIn.token_sha256 == _sha256(secret)).returning(SignIn.person_id)
    person_id = session.execute(ended.execution_options(synchronize_session=False)).scalar()
    if person_id is not None:
        free = {"lease_person_id": None, "lease_token": None, "lease_expires_at": None}
        held = update(Question).where(Question.lease_person_id == person_id).values(free)
        session.execute(held.execution_options(synchronize_session=False))


def set_active(session: Session, person: Person, active: bool) -> None:
    """Disabling ends every sign-in and link of the person at once."""
    if not active and person.role == "admin" and _is_last_admin(session, person):
        raise Invalid(f"{person.name} is the last administrator; make somebody else one first.")
    session.execute(update(Person).where(Person.id == person.id).values(active=active))
    _end_sign_ins(session, person)


def set_role(session: Session, person: Person, role: str) -> None:
    if role not in ROLES:
        raise Invalid(f"The role {role!r} is not known; it is one of {', '.join(ROLES)}.")
    if role != "admin" and person.role == "admin" and _is_last_admin(session, person):
        raise Invalid(f"{person.name} is the last administrator; make somebody else one first.")
    session.execute(update(Person).where(Person.id == person.id).values(role=role))
    _end_sign_ins(session, person)


def _end_sign_ins(session: Session, person: Person) -> None:
    session.execute(delete(SignIn).where(SignIn.person_id == person.id))
    session.execute(delete(SignInLink).where(SignInLink.person_id == person.id))


def _is_last_admin(session: Session, person: Person) -> bool:
    others = select(Person.id).where(Person.role == "admin", Person.active, Person.id != person.id)
    return session.scalar(others.limit(1)) is None
