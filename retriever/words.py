"""Text as the words that BM25 matches: lower-cased, stop words dropped, English endings stemmed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer

# A run of letters and digits; Chinese and Japanese, written without spaces, go character by character.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_POSSESSIVE = re.compile(r"['’]s?$")
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:['’][^\\W_]+)?")


@cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return frozenset(STOPWORDS_EN_PLUS)


@cache
def _stemmer() -> "Stemmer.Stemmer":
    import Stemmer

    return Stemmer.Stemmer("english", 0)  # without its cache, which threads must not share


def _is_stop_word(word: str) -> bool:
    return word.lower().replace("’", "'") in _stop_words()


def _stem(word: str) -> str:
    return _stemmer().stemWord(_POSSESSIVE.sub("", word.lower()))


def surface_words(text: str) -> list[str]:
    """The words of ``text`` as written, stop words left out."""
    return [word for word in _WORD.findall(text) if not _is_stop_word(word)]


def stems(texts: Iterable[str]) -> Iterator[list[str]]:
    """What BM25 counts, text by text: one stem per word ("Restaurants" and "restaurant's" are one), stop words left out."""
    known: dict[str, str] = {}  # a corpus repeats its words: each form is stemmed once, "" standing for a stop word
    for text in texts:
        words = _WORD.findall(text)
        for word in {word for word in words if word not in known}:
            known[word] = "" if _is_stop_word(word) else _stem(word)
        yield [known[word] for word in words if known[word]]


def matching_words(question: str, passage: str) -> tuple[str, ...]:
    """The question's words, as asked and without repeats, of which the passage has some form."""
    held = set(next(stems([passage])))
    matched: dict[str, str] = {}
    for word in surface_words(question):
        if _stem(word) in held:
            matched.setdefault(word.lower(), word)
    return tuple(matched.values())


def title_scores(rarity: Mapping[str, float], titles: Sequence[str]) -> list[float]:
    """How much of a question each title names: the ``rarity`` of the question's stems that it holds, over the root of its length."""
    held = [set(found) for found in stems(titles)]
    return [sum(rarity.get(stem, 0.0) for stem in title) / (1 + len(title)) ** 0.5 for title in held]
