"""Questions about pages with their right answers, and the rows training and evaluation take."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from training.generator.families import LEFT_OUT, Family, choose
from training.generator.pages import DOMAINS, Page, Place, make_place, write_page
from training.types import Example, Gold, Target
from training.variations import vary

UNANSWERABLE_SHARE = 0.37


@dataclass(frozen=True)
class Asked:
    """One question about a page; ``answer`` is None when the page does not tell. ``case`` says why the answer is what it is."""

    question: str
    answer: str | None
    family: Family
    case: str


def ask(place: Place | str, family: Family, random: Random, *, held_out: bool = False) -> str:
    """The family's question about a place in one of its wordings, those kept for tests when ``held_out``."""
    template = random.choice(family.held_out if held_out else family.questions)
    return choose(template, random).format(n=place if isinstance(place, str) else place.name)


def _allowed(families: Collection[Family], only: Collection[str] | None) -> list[Family]:
    return [f for f in families if (f.key in only if only is not None else f.key not in LEFT_OUT)]


def _told(page: Page, only: Collection[str] | None) -> list[tuple[Place, Family]]:
    told = [(page.place, f) for f in page.place.domain.families if f.key in page.stated]
    if page.other is not None:
        told += [(page.other, f) for f in page.other.domain.families if f.key in page.other_stated]
    return [(place, f) for place, f in told if f in _allowed([f], only)]


def _stranger(page: Page, random: Random, split: str) -> Place:
    """A place of the same sort whose name is no part of the page's names: made-up words do come twice."""
    names = [place.name for place in (page.place, page.other) if place is not None]
    while True:
        stranger = make_place(random, split, page.place.domain)
        if not any(name in stranger.name or stranger.name in name for name in names):
            return stranger


def _untold(page: Page, random: Random, split: str, only: Collection[str] | None) -> tuple[Place, Family, str] | None:
    """A question the page cannot answer: a stranger's fact, the place's own untold fact, or one told of the other place only."""
    families = page.place.domain.families
    stated = _allowed([f for f in families if f.key in page.stated + page.other_stated], only)
    if stated and random.random() < 0.5:
        return _stranger(page, random, split), random.choice(stated), "stranger"
    missing = [(page.place, f) for f in families if f.key not in page.stated]
    if page.other is not None:
        missing += [(page.other, f) for f in families if f.key not in page.other_stated]
    if random.random() < 0.1:
        known = {f.key for f in families}
        missing = [(page.place, f) for domain in DOMAINS.values() for f in domain.families if f.key not in known]
    swapped = [(p, f) for p, f in missing if f.key in page.stated + page.other_stated]
    pool = swapped if swapped and random.random() < 0.5 else missing
    pool = [(place, f) for place, f in pool if f in _allowed([f], only)]
    return (*random.choice(pool), "missing") if pool else None


def ask_page(
    page: Page,
    random: Random,
    *,
    count: int,
    split: str,
    held_out: bool = False,
    only: Collection[str] | None = None,
    unanswerable: float = UNANSWERABLE_SHARE,
    varied: float = 0.35,
) -> list[Asked]:
    """Up to ``count`` questions about a page; ``only`` names the families to ask (all but the left-out ones by default).

    ``varied`` is the share of questions whose wording, case or punctuation is varied by :func:`training.variations.vary`.
    """
    told = _told(page, only)
    random.shuffle(told)
    asked = []
    for number in range(count):
        untold = _untold(page, random, split, only) if random.random() < unanswerable or not told else None
        if untold is not None:
            place, family, case = untold
            answer = None
        elif told:
            place, family = told[number % len(told)]
            case, answer = "stated" if place is page.place else "other", place.facts[family.key]
        else:
            continue
        question = ask(place, family, random, held_out=held_out)
        if random.random() < varied:
            question = vary(question, random)
        asked.append(Asked(question, answer, family, case))
    return asked


def _target(asked: Asked, text: str) -> Target:
    if asked.answer is None:
        return Target("", answerable=False)
    start = text.find(asked.answer)
    return Target(asked.answer, start=start if asked.family.kind != "yes_no" and start >= 0 else None)


def to_examples(page: Page, asked: Sequence[Asked], *, kind: str = "accept") -> list[Example]:
    """Questions about a page as training rows."""
    return [Example(row.question, page.text, _target(row, page.text), kind=kind) for row in asked]


def examples(
    count: int,
    seed: int,
    *,
    split: str = "train",
    domain: str | None = None,
    only: Collection[str] | None = None,
    held_out: bool = False,
    per_page: int = 4,
    unanswerable: float = UNANSWERABLE_SHARE,
    kind: str = "accept",
) -> list[Example]:
    """``count`` training rows, the same for the same arguments. Names are of ``split``; ``only`` names the families asked."""
    random = Random(f"examples-{seed}-{split}")
    rows: list[Example] = []
    while len(rows) < count:
        page = write_page(random, split, DOMAINS[domain] if domain else None)
        asked = ask_page(
            page, random, count=per_page, split=split, held_out=held_out, only=only, unanswerable=unanswerable
        )
        rows += to_examples(page, asked, kind=kind)
    return rows[:count]


def golds(rows: Sequence[Example]) -> list[Gold]:
    """The same rows as evaluation rows."""
    return [
        Gold(f"row-{number}", row.text, (row.passage,), (row.target.text,) if row.target.answerable else ())
        for number, row in enumerate(rows)
    ]


def rehearsal(count: int, seed: int) -> list[Example]:
    """Starting data to mix into an iteration so that nothing is forgotten: every practised family, training names only."""
    return examples(count, seed, per_page=1, kind="rehearsal")
