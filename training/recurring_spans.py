"""Practice from unlabelled text: a phrase that occurs twice is hidden once, and the model finds it where it still stands.

Recurring span selection, Ram et al. 2021, "Few-Shot Question Answering by Pretraining Span Selection" (Splinter). One row's
text is a sentence with the phrase blanked out, its passage the rest of the paragraph, its target the phrase. The rows suit span
models (the target's ``start`` is known) and generative ones alike, so a project's own corpus can warm up any answerer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from training.types import Example, Target

BLANK = "____"
_SENTENCE_END = re.compile(r"(?<=[.!?])[”\"’')]*\s+(?=[A-Z“\"‘'(\d])")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_FUNCTION_WORDS = frozenset(
    "a an the and or but nor so yet if then than that which who whom whose when where while because although though as at by "
    "for from in into of on onto to with without within over under between among during after before since until about against "
    "is are was were be been being am has have had having do does did doing will would can could may might must shall should "
    "he she it they we you i him her them us me his hers its their theirs our your my this these those there here not no nor "
    "also very more most less least much many some any each every all both either neither other another such own same only just "
    "too how what why one two first new however up out off down again once through per".split()
)


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int
    sentence: int


def practice(
    passages: Sequence[str], seed: int, *, per_passage: int = 2, most_words: int = 6, blank: str = BLANK
) -> list[Example]:
    """Up to ``per_passage`` rows from each passage in which a phrase of 1 to ``most_words`` words recurs in two sentences.

    ``text`` is the sentence with every occurrence of the phrase replaced by ``blank``; ``passage`` is the original without
    that sentence; ``target.start`` is the character offset of one of the phrase's other occurrences in it. A passage where
    nothing recurs gives no row. The same arguments give the same rows. Raises ``ValueError`` for an empty ``blank``.
    """
    if not blank.strip():
        raise ValueError("The blank must be a visible text; expected for example '____'.")
    rows: list[Example] = []
    for number, passage in enumerate(passages):
        random = Random(f"recurring-{seed}-{number}")
        clusters = list(_recurring(passage, most_words).values())
        random.shuffle(clusters)
        found = (_row(passage, cluster, random, blank) for cluster in clusters)
        rows += [row for row in found if row is not None][:per_passage]
    return rows


def _words(passage: str) -> list[_Word]:
    ends = [match.end() for match in _SENTENCE_END.finditer(passage)]
    words, sentence = [], 0
    for match in _WORD.finditer(passage):
        while sentence < len(ends) and match.start() >= ends[sentence]:
            sentence += 1
        words.append(_Word(match[0], match.start(), match.end(), sentence))
    return words


def _recurring(passage: str, most_words: int) -> dict[str, list[tuple[int, int, int]]]:
    """(start, end, sentence) of every occurrence, by lower-cased phrase; of phrases inside longer ones only the longest is kept."""
    words = _words(passage)
    taken: set[int] = set()
    found: dict[str, list[tuple[int, int, int]]] = {}
    for length in range(most_words, 0, -1):
        for phrase, firsts in _by_phrase(passage, words, length).items():
            free = [first for first in firsts if not taken.intersection(range(first, first + length))]
            if len({words[first].sentence for first in free}) < 2:
                continue
            found[phrase] = [(words[i].start, words[i + length - 1].end, words[i].sentence) for i in free]
            taken.update(place for first in free for place in range(first, first + length))
    return found


def _by_phrase(passage: str, words: Sequence[_Word], length: int) -> dict[str, list[int]]:
    phrases: dict[str, list[int]] = {}
    for first in range(len(words) - length + 1):
        last = words[first + length - 1]
        if words[first].sentence != last.sentence or not _is_telling(words[first : first + length]):
            continue
        phrases.setdefault(passage[words[first].start : last.end].lower(), []).append(first)
    return phrases


def _is_telling(words: Sequence[_Word]) -> bool:
    """Whether a phrase neither begins nor ends with a function word, and is a name, a number or long enough to mean something."""
    if words[0].text.lower() in _FUNCTION_WORDS or words[-1].text.lower() in _FUNCTION_WORDS:
        return False
    return len(words) > 1 or len(words[0].text) > 3


def _row(passage: str, cluster: Sequence[tuple[int, int, int]], random: Random, blank: str) -> Example | None:
    spans = _sentence_spans(passage)
    hidden = random.choice(sorted({sentence for _, _, sentence in cluster}))
    begin, end = spans[hidden]
    phrase = re.compile(re.escape(passage[cluster[0][0] : cluster[0][1]]), re.IGNORECASE)
    text = phrase.sub(lambda _: blank, passage[begin:end]).strip()
    rest = passage[:begin] + passage[end:]
    start, stop, _ = random.choice([occurrence for occurrence in cluster if occurrence[2] != hidden])
    answer, start = passage[start:stop], start - (end - begin if start >= end else 0)
    # Letters whose lower case is longer, such as the Turkish dotted I, can escape the replacement: then nothing is hidden.
    if len(_WORD.findall(text.replace(blank, " "))) < 3 or answer.lower() in text.lower():
        return None
    return Example(text, rest, Target(answer, start=start), kind="rehearsal")


def _sentence_spans(passage: str) -> list[tuple[int, int]]:
    """Each sentence's start and end, the blank behind it included, so that together they are the passage."""
    ends = [match.end() for match in _SENTENCE_END.finditer(passage)]
    return list(zip([0, *ends], [*ends, len(passage)], strict=True))
