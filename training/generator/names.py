"""Made-up names of two halves each. A name belongs to one split by its hash, so none is ever reused between splits."""

import hashlib
import re
from random import Random

SPLITS = ("train", "test", "demo")
_BEGINNINGS = (
    "Bel Bren Cal Cor Dal Dor Eln Fen Gal Gor Hal Hev Ilm Jor Kal Kev Lan Lor Mal Mir Nar Nel Ost Pel Pol Quin Ral Ros Sal Sev Sol "
    "Tal Tev Tor Ulm Val Ver Vin Wen Yar Yel Zan Zev Bor Dun Fal Gry Hul Jav Kir Lud Mev Nov Pav Rud Sto Tul Vor Wim Zor"
).split()
_ENDINGS = (
    "andra avik enko eska iano ibor idra igny ikka illo imar inez ionna irek iska ivo oban odell okko olin omir onya "
    "opol orra osch ostra otti ovane uban udry ulak umber unda urri ushka utka uvel ydon ysko"
).split()
_MADE_UP = re.compile(rf"\b({'|'.join(_BEGINNINGS)})({'|'.join(_ENDINGS)})\b", re.IGNORECASE)
_FIRST = (
    "Amira Anders Bea Boris Carla Cem Dalia Davide Edda Elif Emre Farah Felix Gita Greta Hana Hugo Ines Ivo Jada Jonas Kaya Kenji "
    "Lars Leila Luca Mara Marta Mei Milan Nadia Nils Noor Olga Omar Paolo Petra Rafi Rosa Sami Selma Sven Tara Teo Uma Vera Yara Zeki"
).split()
_ROADS = ("Street", "Lane", "Road", "Square", "Alley", "Avenue", "Quay", "Hill", "Court", "Row")


def split_of(word: str) -> str:
    """The split a made-up word belongs to: about 70 % ``train``, 20 % ``test``, 10 % ``demo``; case does not matter."""
    bucket = hashlib.sha256(word.casefold().encode()).digest()[0] % 10
    return "train" if bucket < 7 else "test" if bucket < 9 else "demo"


def halves(text: str, separator: str) -> str:
    """The text with ``separator`` between the two halves of every made-up word: what a tokenizer should spell them with."""
    return _MADE_UP.sub(rf"\1{separator}\2", text)


def coin(random: Random, split: str) -> str:
    """A new made-up word of ``split``, such as "Belandra". Raises ``ValueError`` for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    while True:
        word = random.choice(_BEGINNINGS) + random.choice(_ENDINGS)
        if split_of(word) == split:
            return word


def person(random: Random, split: str) -> str:
    """A first name from a short list and a made-up last name of ``split``."""
    return f"{random.choice(_FIRST)} {coin(random, split)}"


def street(random: Random, split: str) -> str:
    """A made-up street name of ``split``, some with a house number."""
    number = f"{random.randint(1, 140)} " if random.random() < 0.4 else ""
    return f"{number}{coin(random, split)} {random.choice(_ROADS)}"
