"""Made-up names from syllables. A name belongs to one split by its hash, so none is ever reused between splits."""

import hashlib
from random import Random

SPLITS = ("train", "test", "demo")
_ONSETS = "b br c d dr f fl g gr h j k l m n p pr r s st t tr v w z b d l m n r s t v k".split()
_VOWELS = "a e i o u a e i o a e o ea io".split()
_CODAS = ("", "", "", "", "", "", "n", "r", "l", "s", "m")
_ENDINGS = ("a", "o", "i", "an", "el", "on", "is", "ard", "ino", "ette", "ora", "us", "ley", "well", "ski", "ane")
_FIRST = (
    "Amira Anders Bea Boris Carla Cem Dalia Davide Edda Elif Emre Farah Felix Gita Greta Hana Hugo Ines Ivo Jada Jonas Kaya Kenji "
    "Lars Leila Luca Mara Marta Mei Milan Nadia Nils Noor Olga Omar Paolo Petra Rafi Rosa Sami Selma Sven Tara Teo Uma Vera Yara Zeki"
).split()
_ROADS = ("Street", "Lane", "Road", "Square", "Alley", "Avenue", "Quay", "Hill", "Court", "Row")


def split_of(word: str) -> str:
    """The split a made-up word belongs to: about 70 % ``train``, 20 % ``test``, 10 % ``demo``; case does not matter."""
    bucket = hashlib.sha256(word.casefold().encode()).digest()[0] % 10
    return "train" if bucket < 7 else "test" if bucket < 9 else "demo"


def _word(random: Random) -> str:
    syllables = "".join(
        random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_CODAS)
        for _ in range(random.choice((1, 1, 1, 2)))
    )
    return (syllables + random.choice(_ONSETS) + random.choice(_ENDINGS)).capitalize()


def coin(random: Random, split: str) -> str:
    """A new made-up word of ``split``, such as "Brelora". Raises ``ValueError`` for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    while True:
        word = _word(random)
        if 4 <= len(word) <= 11 and split_of(word) == split:
            return word


def person(random: Random, split: str) -> str:
    """A first name from a short list and a made-up last name of ``split``."""
    return f"{random.choice(_FIRST)} {coin(random, split)}"


def street(random: Random, split: str) -> str:
    """A made-up street name of ``split``, some with a house number."""
    number = f"{random.randint(1, 140)} " if random.random() < 0.4 else ""
    return f"{number}{coin(random, split)} {random.choice(_ROADS)}"
