"""Made-up places with all their facts, and passages that state some of them among small talk and other places' facts."""

from dataclasses import dataclass
from random import Random

from training.generator import names
from training.generator.families import Domain, Family, choose
from training.generator.places import PLACES
from training.generator.restaurants import RESTAURANT
from training.generator.values import MAKERS

DOMAINS = {domain.key: domain for domain in (RESTAURANT, *PLACES)}
_LINKS = ("Also, ", "By the way, ", "And ", "What is more, ", "Good to know: ", "As far as I know, ", "Note that ")
_CONTRASTS = ("Not far away, ", "By contrast, ", "Meanwhile, ", "A friend says that ", "In the next street, ", "", "")
RESTAURANT_SHARE = 0.6


@dataclass(frozen=True)
class Place:
    """A made-up place. ``facts`` maps every family key of its domain to the value ("Yes"/"No" for yes/no families)."""

    name: str
    domain: Domain
    facts: dict[str, str]


@dataclass(frozen=True)
class Page:
    """A passage and what it tells: ``stated`` and ``other_stated`` are the family keys told of ``place`` and of ``other``."""

    text: str
    place: Place
    stated: tuple[str, ...]
    other: Place | None = None
    other_stated: tuple[str, ...] = ()


def choose_domain(random: Random) -> Domain:
    """Restaurants foremost."""
    return RESTAURANT if random.random() < RESTAURANT_SHARE else random.choice(PLACES)


def make_place(random: Random, split: str, domain: Domain | None = None) -> Place:
    """A new place whose made-up words all belong to ``split``; restaurants foremost unless ``domain`` says which."""
    domain = domain or choose_domain(random)
    name = random.choice(domain.names).format(w=names.coin(random, split))
    facts = {
        family.key: MAKERS[family.value](random, split) if family.value else random.choice(("Yes", "No"))
        for family in domain.families
    }
    return Place(name, domain, facts)


def _subject(place: Place, template: str, random: Random, *, fresh: bool) -> str:
    leads = template.startswith("{x}")
    if fresh or random.random() < (0.35 if leads else 0.65):
        return place.name
    return "it" if leads and random.random() < 0.6 else f"the {random.choice(place.domain.nouns)}"


def _sentence(text: str) -> str:
    text = text if text[-1] in ".!?" else text + "."
    return text[0].upper() + text[1:]


def state(place: Place, family: Family, random: Random, *, fresh: bool = True) -> str:
    """One sentence that states the fact; without ``fresh`` the place may be "it" or "the restaurant"."""
    value = place.facts[family.key]
    template = choose(random.choice(family.denials if value == "No" else family.statements), random)
    text = template.format(x=_subject(place, template, random, fresh=fresh), v=value)
    link = random.choice(_LINKS) if not fresh and random.random() < 0.12 else ""
    return _sentence(link + text)


def _contrast(place: Place, family: Family, random: Random) -> str:
    text = state(place, family, random)
    link = random.choice(_CONTRASTS)
    keeps_case = text.startswith(place.name) or text.startswith(place.facts[family.key])
    return link + text if not link or keeps_case else link + text[0].lower() + text[1:]


def _talk(templates: tuple[str, ...], random: Random, place: Place) -> str:
    return choose(random.choice(templates), random).format(n=place.name)


def compose(
    place: Place, families: list[Family], random: Random, *, other: Place | None = None, aside: tuple[Family, ...] = ()
) -> str:
    """A passage that states ``families`` of ``place`` and ``aside`` of ``other``, in mixed order, among small talk."""
    parts = [(family, place) for family in families] + [(family, other) for family in aside if other is not None]
    random.shuffle(parts)
    talk = place.domain.small_talk
    sentences = [_talk(talk.openers, random, place)] if random.random() < 0.75 else []
    fillers = random.sample(talk.fillers, min(len(talk.fillers), random.choice((0, 1, 2, 3, 4, 6))))
    fresh = not sentences
    for family, subject in parts:
        if fillers and random.random() < 0.4:
            sentences.append(choose(fillers.pop(), random))
        if subject is place:
            sentences.append(state(place, family, random, fresh=fresh))
        else:
            sentences.append(_contrast(subject, family, random))
        fresh = subject is not place
    if random.random() < 0.4:
        sentences.append(_talk(talk.closers, random, place))
    return " ".join(sentences)


def write_contrast_page(random: Random, split: str, domain: Domain | None = None, *, most: int) -> Page:
    """A short page without small talk: up to ``most`` facts of one place and, in nine of ten pages, of another of its sort.

    The other mostly tells of the same things, so that only the name in a question says which of two answers is right.
    """
    place = make_place(random, split, domain)
    families = random.sample(place.domain.families, random.randint(1, most))
    parts, other, aside = [(family, place) for family in families], None, []
    if random.random() < 0.9:
        other = make_place(random, split, place.domain)
        pool = families if random.random() < 0.8 else list(place.domain.families)
        aside = random.sample(pool, random.randint(1, min(len(pool), most)))
        parts += [(family, other) for family in aside]
    random.shuffle(parts)
    sentences, last = [], None
    for family, subject in parts:
        sentences.append(state(subject, family, random, fresh=subject is not last))
        last = subject
    return Page(" ".join(sentences), place, tuple(f.key for f in families), other, tuple(f.key for f in aside))


def write_page(random: Random, split: str, domain: Domain | None = None) -> Page:
    """A random page of ``split``: 2 to 7 facts of one place and, in a third of the pages, 1 or 2 of another of its sort.

    One page in sixteen goes on about a third place, which makes it long; nothing is asked of that one.
    """
    place = make_place(random, split, domain)
    wanted = random.choice((2, 3, 3, 4, 4, 5, 5, 6, 6, 7))
    families = random.sample(place.domain.families, min(wanted, len(place.domain.families)))
    other: Place | None = None
    aside: tuple[Family, ...] = ()
    if random.random() < 0.35:
        other = make_place(random, split, place.domain)
        pool = families + random.sample(place.domain.families, 3)
        aside = tuple({family.key: family for family in random.sample(pool, random.choice((1, 1, 2)))}.values())
    text = compose(place, families, random, other=other, aside=aside)
    if random.random() < 0.0625:
        third = make_place(random, split, place.domain)
        more = compose(third, random.sample(third.domain.families, random.choice((2, 3, 4))), random)
        text = f"{text} {more}" if random.random() < 0.5 else f"{more} {text}"
    return Page(text, place, tuple(f.key for f in families), other, tuple(f.key for f in aside))
