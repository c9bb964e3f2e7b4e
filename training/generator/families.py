"""What a question family is, the small template language of its wordings, and which families the starter never practises."""

import re
from dataclasses import dataclass
from random import Random

from training.generator.small_talk import SmallTalk

LEFT_OUT = ("payment", "parking")
"""Families the starter's training leaves out, so that a newcomer's own labels visibly teach the demo something."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Family:
    """Questions about one fact. ``kind`` is ``value``, ``list`` or ``yes_no``.

    ``value`` names a maker of :data:`training.generator.values.MAKERS` ("" for yes/no). ``statements`` state the fact (for
    yes/no the "Yes"), ``denials`` the "No". ``questions`` are the wordings to train on, ``held_out`` those kept for tests.
    Templates know ``{x}`` (subject), ``{v}`` (value), ``{n}`` (name), ``{kind}`` (noun of the place) and ``[a|b]`` choices.
    """

    key: str
    kind: str
    value: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    held_out: tuple[str, ...]
    denials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """A sort of place: its nouns, how its names look (``{w}`` is the made-up word), its families and small talk."""

    key: str
    nouns: tuple[str, ...]
    names: tuple[str, ...]
    families: tuple[Family, ...]
    small_talk: SmallTalk


def choose(template: str, random: Random) -> str:
    """Replace each ``[a|b]`` by one of its choices, innermost first, and tidy the blanks."""
    while match := _CHOICE.search(template):
        template = template[: match.start()] + random.choice(match.group(1).split("|")) + template[match.end() :]
    return " ".join(template.split())


def wordings(template: str) -> list[str]:
    """Every wording a template stands for, in a fixed order."""
    match = _CHOICE.search(template)
    if match is None:
        return [" ".join(template.split())]
    head, tail = template[: match.start()], template[match.end() :]
    return [text for choice in match.group(1).split("|") for text in wordings(head + choice + tail)]
