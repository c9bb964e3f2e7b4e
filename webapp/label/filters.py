"""The filters of the list of labels, as its address has them. One that is not understood is told, never left out: the list would look filtered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.addresses import shortened
from webapp.errors import Invalid
from webapp.label.browse import Filters
from webapp.label.submission import DECISIONS

NAMES = ("decision", "person", "q", "release", "history")
MOST_LETTERS = 200
MOST_DIGITS = 15


@dataclass(frozen=True)
class Choices:
    """What can be chosen: the people who labelled here (rows of id and name) and the numbers of the releases."""

    people: Sequence[Any]
    releases: Sequence[int]


def read_filters(args: Mapping[str, str], choices: Choices) -> Filters:
    """Raises :class:`Invalid` with one sentence: what came, and what was expected."""
    return Filters(
        decision=_decision(_value(args, "decision")), person_id=_person(_value(args, "person"), choices.people),
        text=_words(_value(args, "q")), release=_release(_value(args, "release"), choices.releases),
        history=_history(_value(args, "history")),
    )  # fmt: skip


def read_place(args: Mapping[str, str], name: str) -> int | None:
    """The label from which a page goes on: ``before`` or ``after``."""
    value = _value(args, name)
    if value and not (value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS):
        raise Invalid(f"The list goes on {name} a label, whose number was expected; {_quoted(value)} came.")
    return int(value) if value else None


def _value(args: Mapping[str, str], name: str) -> str:
    return args.get(name, "").strip()


def _quoted(value: str) -> str:
    return f"“{shortened(value)}”"


def _decision(value: str) -> str:
    if value and value not in DECISIONS:
        raise Invalid(f"There is no decision {_quoted(value)}; expected one of {', '.join(DECISIONS)}.")
    return value


def _person(value: str, people: Sequence[Any]) -> int | None:
    """By number, as the list under Person sends it, or by name, as one writes it into an address."""
    if not value:
        return None
    numbers = {str(one.id): one.id for one in people}
    found: int | None = numbers.get(value, {one.name: one.id for one in people}.get(value))
    if found is None:
        raise Invalid(
            f"Nobody called {_quoted(value)} has labelled here; expected one of the people in the list under Person."
        )
    return found


def _release(value: str, releases: Sequence[int]) -> int | None:
    if not value:
        return None
    found = {str(number): number for number in releases}.get(value)
    if found is None:
        raise Invalid(
            f"This project has no release {_quoted(value)}; expected a number from the list under “Answer of”."
        )
    return found


def _history(value: str) -> bool:
    if value not in ("", "all"):
        raise Invalid(
            f"The history can be “all” for every version, or left out for what counts now; {_quoted(value)} came."
        )
    return value == "all"


def _words(value: str) -> str:
    if len(value) > MOST_LETTERS:
        raise Invalid(f"A search takes at most {MOST_LETTERS} characters; {len(value):,} came.")
    return value
