"""Text as the words that BM25 matches: lower-cased, stop words dropped, English endings stemmed."""

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer

# A run of letters and digits; Chinese and Japanese, written without spaces, go character by character.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:['’][^\\W_]+)?")


@cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return frozenset(STOPWORDS_EN_PLUS)


@cache
def _stemmer() -> "Stemmer.Stemmer":
    import Stemmer

    return Stemmer.Stemmer("english", 0)  # without its cache, which threads must not share


@cache
def _possessive() -> re.Pattern[str]:
    return re.compile(r"['’]s?$")


def surface_words(text: str) -> list[str]:
    """The words of ``text`` as written, stop words left out."""
    stop_words = _stop_words()
    return [word for word in _WORD.findall(text) if word.lower().replace("’", "'") not in stop_words]


def stems(words: Iterable[str]) -> list[str]:
    """What BM25 counts: one stem per word ("Restaurants" and "restaurant's" are one)."""
    return _stemmer().stemWords([_possessive().sub("", word.lower()) for word in words])


def matching_words(question: str, passage: str) -> tuple[str, ...]:
    """The question's words, as asked and without repeats, of which the passage has some form."""
    asked = surface_words(question)
    held = set(stems(surface_words(passage)))
    matched = {
        word.lower(): word for word, stem in reversed(list(zip(asked, stems(asked), strict=True))) if stem in held
    }
    return tuple(matched[key] for key in reversed(matched))
