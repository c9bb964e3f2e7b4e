"""The bundled demo: reviews and notices of made-up restaurants, a queue of questions and gold answers.

``python -m training.recipes.demo --out webapp/demo`` writes the three files again, byte for byte. No name in them is ever
used in training, and two families of questions are new to the starter, so that a newcomer's labels visibly teach it something.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from training.generator.families import LEFT_OUT, Family
from training.generator.pages import Place, compose, make_place
from training.generator.places import PLACES
from training.generator.restaurants import RESTAURANT
from training.generator.rows import ask
from training.split import split_of
from training.variations import vary

SEED = 2026
RESTAURANTS, DOCUMENTS, QUEUE, GOLD = 16, 160, 280, 300
JUDGING = ("validation", "test")  # gold answers are never learned from: one that fell into training could judge nothing
IMPOSSIBLE = 0.3  # of the gold questions: fewer could not tell whether a model refuses as it should
OWN = frozenset(family.key for family in RESTAURANT.families)  # what a restaurant can be asked
_TITLES = (
    "An evening at {n}",
    "{n}: our visit",
    "{n}, what to know",
    "Notes on {n}",
    "{n} in short",
    "Lunch and dinner at {n}",
    "A review of {n}",
    "Good to know about {n}",
    "{n}: a letter from a guest",
    "Back at {n}",
)
Row = dict[str, Any]
Told = list[tuple[Row, Place, tuple[Family, ...]]]


def restaurants(random: Random) -> list[Place]:
    places: dict[str, Place] = {}
    while len(places) < RESTAURANTS:
        place = make_place(random, "demo", RESTAURANT)
        word = max(place.name.split(), key=len)
        # Names that begin alike would make a person's life hard.
        if all(word[:3] != max(name.split(), key=len)[:3] for name in places):
            places[place.name] = place
    return list(places.values())


def _rounds(random: Random, place: Place, count: int) -> list[tuple[Family, ...]]:
    """``count`` sets of families that together tell every fact of the place, the left-out families more often than others."""
    deck: list[Family] = []
    rounds = []
    for _ in range(count):
        size = random.choice((4, 5, 6, 7))
        chosen: dict[str, Family] = {}
        if random.random() < 0.5:
            chosen.update((f.key, f) for f in random.sample([f for f in place.domain.families if f.key in LEFT_OUT], 1))
        while len(chosen) < size:
            if not deck:
                deck = random.sample(place.domain.families, len(place.domain.families))
            family = deck.pop()
            chosen[family.key] = family
        rounds.append(tuple(chosen.values()))
    return rounds


def documents(random: Random, places: list[Place]) -> Told:
    """The documents with what each tells about which place: mostly one visit, one in twelve long, some with a word on another place."""
    told: Told = []
    for place in places:
        rounds = _rounds(random, place, DOCUMENTS // len(places) + 2)
        while rounds:
            families = rounds.pop()
            paragraphs = [_paragraph(random, places, place, families)]
            if len(rounds) in (1, 5):
                for _ in range(random.choice((1, 2)) if len(rounds) > 1 else 1):
                    more = rounds.pop()
                    paragraphs.append(_paragraph(random, places, place, more))
                    families += more
            title = random.choice(_TITLES).format(n=place.name)
            told.append(({"id": "", "title": title, "text": "\n\n".join(paragraphs)}, place, families))
    random.shuffle(told)
    for number, (row, _, _) in enumerate(told, start=1):
        row["id"] = f"demo-{number:03d}"
    return told


def _paragraph(random: Random, places: list[Place], place: Place, families: tuple[Family, ...]) -> str:
    other: Place | None = None
    aside: tuple[Family, ...] = ()
    if random.random() < 0.2:
        other = random.choice([each for each in places if each is not place])
        aside = tuple(random.sample(families, 1))
    return compose(place, list(families), random, other=other, aside=aside)


def _question(random: Random, place: Place | str, family: Family) -> str:
    question = ask(place, family, random, held_out=random.random() < 0.2)
    return vary(question, random) if random.random() < 0.3 else question


def _foreign(random: Random, places: list[Place]) -> tuple[Place, Family]:
    """What no document tells: a fact only other sorts of place have, or any fact of a restaurant that is not in the corpus."""
    if random.random() < 0.5:
        families = [f for domain in PLACES for f in domain.families if f.key not in OWN]
        return random.choice(places), random.choice(families)
    return make_place(random, "demo", RESTAURANT), random.choice(RESTAURANT.families)


def _choose(random: Random, places: list[Place], families: list[Family]) -> tuple[Place, Family]:
    """A place and a family: 45 % of the left-out families, 40 % of the others, 15 % of what nothing tells."""
    kind = random.random()
    if kind < 0.15:
        return _foreign(random, places)
    left_out = kind < 0.6
    return random.choice(places), random.choice([f for f in families if (f.key in LEFT_OUT) == left_out])


def queue(random: Random, places: list[Place]) -> list[Row]:
    """Questions a newcomer is served, all different."""
    found: dict[str, Row] = {}
    while len(found) < QUEUE:
        question = _question(random, *_choose(random, places, list(RESTAURANT.families)))
        found.setdefault(question.casefold(), {"id": f"question-{len(found) + 1:03d}", "question": question})
    return list(found.values())


def _find_told(random: Random, told: Told, *, left_out: bool, impossible: bool) -> tuple[Row, Place, Family]:
    """A document of one paragraph and a family it tells of, or does not if ``impossible``."""
    while True:
        row, place, families = random.choice(told)
        spoken = [f for f in RESTAURANT.families if f.kind != "yes_no" and (f in families) != impossible]
        wanted = [f for f in spoken if (f.key in LEFT_OUT) == left_out]
        if wanted and not row["text"].count("\n\n"):
            return row, place, random.choice(wanted)


def _gold_row(random: Random, told: Told, *, asked: set[str], splits: Sequence[str]) -> Row:
    """A question nobody asked yet, with the document that answers it; some are asked of a document that does not."""
    left_out, impossible = random.random() < 0.5, random.random() < IMPOSSIBLE
    while True:
        row, place, family = _find_told(random, told, left_out=left_out, impossible=impossible)
        question = _question(random, place, family)
        if question.casefold() not in asked and split_of(question) in splits:
            break
    text = place.facts[family.key]
    answers = [] if impossible else [{"text": text, "start": row["text"].index(text)}]
    return {"question": question, "context": row["text"], "answers": answers, "is_impossible": impossible}


def gold(
    random: Random, told: Told, *, taken: set[str], count: int = GOLD, splits: Sequence[str] = JUDGING
) -> list[Row]:
    """Questions beside those of the queue (``taken``), half of them of the left-out families, about as there."""
    rows: list[Row] = []
    asked = set(taken)
    while len(rows) < count:
        row = _gold_row(random, told, asked=asked, splits=splits)
        asked.add(row["question"].casefold())
        rows.append({"id": f"gold-{len(rows) + 1:03d}", **row})
    return rows


def untold(random: Random, places: list[Place], told: Told, *, taken: set[str], count: int) -> list[Row]:
    """Questions beside ``taken`` that no document answers, each with a document that a search might find."""
    rows: dict[str, Row] = {}
    names = {place.name for place in places}
    while len(rows) < count:
        place, family = _foreign(random, places)
        question = _question(random, place, family)
        is_told = place.name in names and family.key in OWN  # a new place may be called like one of these
        if not is_told and question.casefold() not in taken:
            row = {
                "question": question,
                "context": random.choice(told)[0]["text"],
                "answers": [],
                "is_impossible": True,
            }
            rows.setdefault(question.casefold(), row)
    return list(rows.values())


def build() -> dict[str, list[Row]]:
    """The rows of each file by its name; always the same."""
    random = Random(SEED)
    places = restaurants(random)
    told = documents(random, places)
    questions = queue(random, places)
    golden = gold(random, told, taken={row["question"].casefold() for row in questions})
    return {"corpus.jsonl": [row for row, _, _ in told], "questions.jsonl": questions, "gold.jsonl": golden}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in build().items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}: {len(rows)} rows")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
