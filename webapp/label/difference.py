"""How a correction differs from the model's answer: word by word for the eye, in characters for the record."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

# A word or a sign with the blanks after it, so that what is taken out and put in reads as words, not as blanks kept between them.
_WORDS = re.compile(r"^\s+|\w+\s*|[^\w\s]\s*")
_MOST_CELLS = 250_000  # about 50 ms; it runs while the label is being written
_MOST_WORDS = 3_000


@dataclass(frozen=True)
class Change:
    """A stretch of text that is in both (``same``), only in the old one (``gone``) or only in the new one (``new``)."""

    kind: str
    text: str


def word_changes(old: str, new: str) -> list[Change]:
    """Read without ``gone`` it is the new text; read without ``new`` it is the old one but for blanks."""
    old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(old_words), len(new_words)) > _MOST_WORDS:
        return [Change(kind, text) for kind, text in (("gone", old), ("new", new)) if text]
    changes = []
    matcher = SequenceMatcher(
        None, [word.strip() for word in old_words], [word.strip() for word in new_words], autojunk=False
    )
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            changes.append(Change("same", "".join(new_words[c:d])))
            continue
        changes += [Change("gone", "".join(old_words[a:b]))] if b > a else []
        changes += [Change("new", "".join(new_words[c:d]))] if d > c else []
    return changes


def edit_distance(old: str, new: str) -> int:
    """Levenshtein distance in characters. Of very long texts only the differing middle is compared, word by word at the most."""
    old, new = _differing(old, new)
    if len(old) * len(new) <= _MOST_CELLS:
        return _levenshtein(old, new)
    return sum(len(change.text) for change in word_changes(old, new) if change.kind != "same")


def _differing(old: str, new: str) -> tuple[str, str]:
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    rest = shorter - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    return old[start : len(old) - end], new[start : len(new) - end]


def _levenshtein(old: str, new: str) -> int:
    row = list(range(len(new) + 1))
    for i, letter in enumerate(old, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(new, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != other))
    return row[-1]
