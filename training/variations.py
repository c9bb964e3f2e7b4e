"""Other ways to ask the same question: changes of wording, case and punctuation that provably keep its meaning.

Each rule rewrites a question on its surface. :func:`canonical` undoes every rule, so a variation is kept only when the round
trip survives: variation and original have the same canonical form, and with it the same names and numbers. No model takes part.
"""

import re
from collections.abc import Callable
from random import Random

_WORDINGS = (
    ("at what time", "when"),
    ("what time", "when"),
    ("which", "what"),
    ("how much does it cost for", "how much is"),
    ("where can i find", "where is"),
    ("where do i find", "where is"),
    ("do they", "does it"),
    ("is it possible to", "can i"),
    ("may i", "can i"),
    ("list", "name"),
)
_BEFORE = (
    "Hi, ",
    "Hello, ",
    "Quick question: ",
    "One question: ",
    "Please tell me: ",
    "Tell me: ",
    "I wonder: ",
    "Question: ",
    "Excuse me, ",
    "So, ",
)
_AFTER = (" please", ", please", " Thanks", " Thank you")
_WRAPPERS = re.compile(
    r"^(?:(?:hi|hello|quick question|one question|please tell me|tell me|i wonder|question|excuse me|so)[,:]? )+"
)
_THANKS = re.compile(r"(?: please| thanks| thank you)+$")
_PUNCTUATION = re.compile(r"[^\w\s:'&-]|(?<=\D):|:(?=\D)")


def canonical(question: str) -> str:
    """The question with case, punctuation, courtesies and interchangeable wordings undone; two questions with the same
    canonical form ask the same."""
    text = _THANKS.sub("", _WRAPPERS.sub("", " ".join(_PUNCTUATION.sub(" ", question.casefold()).split())))
    for wording, plain in _WORDINGS:
        text = re.sub(rf"\b{wording}\b", plain, text)
    return " ".join(text.split())


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _reword(question: str, random: Random) -> str:
    wording, plain = random.choice(_WORDINGS)
    pair = (wording, plain) if random.random() < 0.5 else (plain, wording)
    if not pair[0] or not re.search(rf"\b{pair[0]}\b", question, re.IGNORECASE):
        return question
    text = re.sub(rf"\b{pair[0]}\b", pair[1], question, count=1, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:]


def _greet(question: str, random: Random) -> str:
    return random.choice(_BEFORE) + _first_lower(question)


def _thank(question: str, random: Random) -> str:
    return question.rstrip("?. ") + random.choice(_AFTER) + random.choice(("?", ".", ""))


def _end(question: str, random: Random) -> str:
    return question.rstrip("?. ") + random.choice(("", "", "??", " ?", "...", "!", "."))


def _upper_words(question: str, random: Random) -> str:
    return " ".join(word.capitalize() for word in question.split(" "))


RULES: dict[str, Callable[[str, Random], str]] = {
    "wording": _reword,
    "greeting": _greet,
    "thanks": _thank,
    "ending": _end,
    "lower case": lambda question, random: question.lower(),
    "first letter": lambda question, random: _first_lower(question),
    "title case": _upper_words,
    "upper case": lambda question, random: question.upper(),
}
"""The rules by name. A rule that does not fit returns the question as it was."""
_ODDS = (4, 2, 1, 4, 4, 2, 0.5, 0.3)


def vary(question: str, random: Random) -> str:
    """The question changed by one to three random rules; itself where no change survives the round trip."""
    text = question
    for name in random.choices(list(RULES), weights=_ODDS, k=random.choice((1, 1, 2, 3))):
        changed = RULES[name](text, random)
        if changed.strip() and canonical(changed) == canonical(question):
            text = changed
    return text


def variations(question: str, count: int, *, seed: int = 0) -> list[str]:
    """Up to ``count`` different variations of a question, none equal to it, the same for the same seed."""
    random = Random(f"variations-{seed}-{question}")
    found: dict[str, None] = {}
    for _ in range(12 * count):
        if len(found) >= count:
            break
        text = vary(question, random)
        if text != question:
            found[text] = None
    return list(found)
