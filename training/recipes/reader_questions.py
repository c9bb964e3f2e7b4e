"""Practice questions out of plain prose: a sentence loses a phrase and becomes a question for it, with no model's help.

Lewis et al. 2019, "Unsupervised Question Answering by Cloze Translation": the phrase's sort picks the question word, the
auxiliary moves in front of its subject, and noise (lost words, other words) keeps the question from copying the sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from training.recipes.reader_words import (
    ACRONYM,
    AUXILIARIES,
    BASE_FORMS,
    FIRST_NAMES,
    FUNCTION_WORDS,
    MONTHS,
    NUMBER,
    PREPOSITIONS,
    PRONOUNS,
    SYNONYMS,
    TITLES,
    UNITS,
)

_WORD = re.compile(r"[\w$€£%][\w.,'’&$%/-]*[\w%]|[\w$%]")
_NAME = re.compile(
    r"(?:[A-Z][\w'’-]*\.?|[A-Z]\.)(?: (?:(?:of|the|de|von|van|and|for) (?:the )?)?(?:[A-Z][\w'’-]*|[A-Z]\.|[IVX]+\b))*"
)
_DATE = re.compile(
    rf"(?:{MONTHS}) \d{{1,2}}(?:, \d{{4}})?|(?:{MONTHS}),? \d{{4}}|\b(?:1[0-9]|20)\d\d\b|\b(?:1[0-9]|20)\d0s\b|\b\d{{1,4}} (?:BCE|CE)\b"
)
_COUNT = re.compile(
    rf"(?:[$€£]\s?\d[\d,.]*\d?(?: (?:million|billion|trillion|thousand))?)|\b(?:{NUMBER})\b(?: (?:million|billion|thousand|hundred|percent))?%?"
)
_QUOTED = re.compile(r"“([^”]{3,40})”|\"([^\"]{3,40})\"")
_REASON = re.compile(r"\b(because(?! of)|in order to|so that) ([^,.;]{15,90})(?=[,.;])")
_CHUNK = re.compile(r"(?<![\w’'-])(?:[a-z][a-z-]{2,} ){0,3}[a-z][a-z-]{3,}")
_OPENER = re.compile(
    r"^(?:(?:however|indeed|moreover|furthermore|therefore|thus|finally|today|meanwhile|nevertheless|in fact|for example|for instance|"
    r"as a result|in addition|on the other hand|in this case|at the same time|of course|later|and|but|yet|so),? )+",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[;:—()]|, (?:and|but|while|which|who|where|so|although|as|with|including)\b|\. ")


@dataclass(frozen=True)
class Phrase:
    """A stretch of a sentence that can be asked for: ``sort`` is date, count, name, person, place, quoted, reason or thing."""

    start: int
    end: int
    sort: str


def phrases(sentence: str) -> list[Phrase]:
    """What can be asked for in a sentence, the surest sorts first, none overlapping another."""
    found: list[Phrase] = []
    for phrase in _candidates(sentence):
        if all(phrase.end <= other.start or phrase.start >= other.end for other in found):
            found.append(phrase)
    return found


def _candidates(sentence: str) -> Iterator[Phrase]:
    for match in _REASON.finditer(sentence):
        yield Phrase(match.start(1) if match[1] == "in order to" else match.start(2), match.end(), "reason")
    for match in _DATE.finditer(sentence):
        yield Phrase(match.start(), match.end(), "date")
    for match in _COUNT.finditer(sentence):
        yield Phrase(match.start(), match.end(), "count")
    for match in _NAME.finditer(sentence):
        phrase = _name(sentence, match)
        if phrase is not None:
            yield phrase
    for match in _QUOTED.finditer(sentence):
        inner = 1 if match[1] else 2
        yield Phrase(match.start(inner), match.end(inner), "quoted")
    for match in _CHUNK.finditer(sentence):
        yield from _things(match)


def _name(sentence: str, match: re.Match[str]) -> Phrase | None:
    start, text = match.start(), match[0].rstrip(".")
    text = re.sub(r"[’']s?$", "", text)
    first = text.split()[0]
    if first.lower() in FUNCTION_WORDS:
        start += len(first) + 1
        text = text[len(first) + 1 :]
    # A lone capitalised word that opens a sentence is as often an ordinary word as a name.
    if (
        len(text) < 3
        or (match.start() == 0 and " " not in text)
        or text.lower() in FUNCTION_WORDS
        or ACRONYM.fullmatch(text)
    ):
        return None
    before = sentence[:start].rstrip().lower().split()[-2:]
    if text.split()[0] in FIRST_NAMES or (before and before[-1].strip(",") in TITLES):
        return Phrase(start, start + len(text), "person")
    is_place = bool(before) and (before[-1] in {"in", "near"} or before[-2:] in (["in", "the"], ["to", "the"]))
    return Phrase(start, start + len(text), "place" if is_place else "name")


def _things(match: re.Match[str]) -> Iterator[Phrase]:
    """Runs of ordinary words between function words: usually a noun with what describes it."""
    run: list[re.Match[str]] = []
    for word in [*re.finditer(r"[a-z-]+", match[0]), None]:
        if word is not None and word[0] not in FUNCTION_WORDS and not word[0].endswith(("ly", "ed", "ing")):
            run.append(word)
            continue
        # The last run of a cut-off chunk may go on behind it; only one that something ends is a whole noun.
        is_whole = word is not None or not re.match(r" [a-z]", match.string[match.end() :])
        if run and is_whole and len(run[-1][0]) > 3 and not run[-1][0].endswith(("al", "ous", "ive", "ic", "ful")):
            yield Phrase(match.start() + run[0].start(), match.start() + run[-1].end(), "thing")
        run = []


def ask_for(sentence: str, phrase: Phrase, random: Random) -> str | None:
    """A question whose answer is ``phrase``, or None when too little of the sentence is left to ask with."""
    before, after = _clause(sentence, phrase, random)
    before = _OPENER.sub("", before)
    wh, before, after = _question_word(sentence[phrase.start : phrase.end], phrase.sort, (before, after), random)
    before_words, after_words = _noisy(before, random), _noisy(after, random)
    if len([w for w in before_words + after_words if w.lower() not in FUNCTION_WORDS]) < 3:
        return None
    words = _ordered(wh, before_words, after_words, random)
    question = " ".join(words).strip(" ,.;:")
    question = re.sub(r"\s+([,.;:])", r"\1", question)
    question = question if random.random() < 0.1 else question[:1].upper() + question[1:]
    return question + random.choice(("?", "?", "?", "?", "?", ""))


def _clause(sentence: str, phrase: Phrase, random: Random) -> tuple[str, str]:
    """What stands before and after the phrase in its clause, at most some fifteen words together."""
    before, after = sentence[: phrase.start], sentence[phrase.end :]
    if random.random() < 0.85:
        breaks = [m.end() for m in _BREAK.finditer(before)]
        kept = before[breaks[-1] :] if breaks else before
        before = kept if len(kept.split()) >= 3 or len(after.split()) >= 4 else before
        match = _BREAK.search(after)
        after = after[: match.start()] if match and (match.start() > 12 or len(before.split()) >= 4) else after
    most = random.randint(6, 12)
    before_words, after_words = before.split(), after.split()
    return " ".join(before_words[-most:]), " ".join(after_words[: max(3, 16 - min(most, len(before_words)))])


def _question_word(answer: str, sort: str, around: tuple[str, str], random: Random) -> tuple[str, str, str]:
    """The question word, and what is left before and after once it has taken its preposition or noun."""
    before, after = around
    head = before.split()[-1].lower() if before.split() else ""
    if sort == "reason":
        return "why", re.sub(r"[, ]*because$", "", before), after
    if sort == "date":
        wh = random.choice(
            ("when", "when", "in what year", "what year")
            if re.fullmatch(r"\d{4}", answer)
            else ("when", "when", "on what date")
        )
        return (
            wh,
            re.sub(
                r"\b(?:in|on|by|since|from|during|until|around|about|of)(?: the)?$", "", before, flags=re.IGNORECASE
            ),
            after,
        )
    if sort == "count":
        return _count_word(answer, before, after, random)
    if sort == "person":
        return random.choice(("who", "who", "who", "which person", "what person")), before, after
    if sort == "place" and head in {"in", "near", "to", "the"}:
        stripped = re.sub(r"\b(?:in|near|to)(?: the)?$", "", before)
        place = random.choice(("country", "city", "place", "region", "area", "location", "state"))
        return random.choice(("where", "where", f"in what {place}", f"in which {place}")), stripped, after
    kind = (
        answer.rsplit(maxsplit=1)[-1].lower()
        if sort == "name" and len(answer.split()) > 1 and random.random() < 0.6
        else ""
    )
    if kind and kind.isalpha() and " of " not in answer:
        return random.choice((f"what {kind}", f"which {kind}")), re.sub(r"\b[Tt]he$", "", before), after
    last = answer.rsplit(maxsplit=1)[-1]
    if sort == "thing" and len(answer.split()) > 1 and random.random() < 0.35:
        return (
            random.choice(("what", "what kind of", "what type of", "which")) + " " + last,
            re.sub(r"\b(?:[Tt]he|an?)$", "", before),
            after,
        )
    wh = random.choice(("what", "what", "which", "who", "what")) if sort == "name" else "what"
    return wh, re.sub(r"\b(?:[Tt]he|an?|[Aa]n?)$", "", before), after


def _count_word(answer: str, before: str, after: str, random: Random) -> tuple[str, str, str]:
    if answer[0] in "$€£":
        return random.choice(("how much", "how much money", "what amount")), before, after
    if "percent" in answer or "%" in answer or after.lstrip().startswith("percent"):
        return random.choice(("what percentage", "what percent", "how much")), before, re.sub(r"^\s*percent", "", after)
    noun = re.match(r"\s*((?:[a-z-]+ )?[a-z-]+s|people|men|women)\b", after)
    if noun and noun[1] not in FUNCTION_WORDS:
        wh = "how long" if noun[1].split()[-1] in UNITS and random.random() < 0.5 else f"how many {noun[1]}"
        return wh, before, after[noun.end() :]
    return random.choice(("how many", "what number", "how much")), before, after


def _noisy(text: str, random: Random) -> list[str]:
    """Words with some lost and some replaced by words that mean the same."""
    share = random.choice((0.0, 0.0, 0.1, 0.25))
    words = []
    for word in text.split():
        bare = word.strip(',;:.()[]“”"')
        if not bare or (random.random() < share and bare.lower() not in AUXILIARIES):
            continue
        options = SYNONYMS.get(bare.lower())
        words.append(random.choice(options) if options and random.random() < 0.6 else bare)
    return words


def _ordered(wh: str, before: list[str], after: list[str], random: Random) -> list[str]:
    """The words of the question in the order a person would ask, now and then in the order of the sentence."""
    asked = wh.split()
    if not before:
        return asked + after
    if random.random() < 0.15:
        return before + asked + after
    preposition = []
    if before[-1].lower() in PREPOSITIONS and wh.split(maxsplit=1)[0] in {"what", "which", "who", "how"}:
        last = before.pop()
        (asked.insert(0, last.lower()) if random.random() < 0.5 else preposition.append(last))
    before = (
        [before[0].lower() if before[0].lower() in FUNCTION_WORDS else before[0], *before[1:]] if before else before
    )
    place = next((i for i, word in enumerate(before) if word.lower() in AUXILIARIES and i > 0), None)
    if place is not None:
        return [*asked, before[place], *before[:place], *before[place + 1 :], *after, *preposition]
    return asked + _with_do(before, random) + after + preposition


def _with_do(before: list[str], random: Random) -> list[str]:
    """ "did" and the verb's base form where a past tense is found; otherwise the words as they are."""
    for i, word in enumerate(before):
        base = BASE_FORMS.get(word.lower()) or _base_form(word)
        if base and i > 0:
            return ["did", *before[:i], base, *before[i + 1 :]]
    return (["did"] if random.random() < 0.3 else []) + before


def _base_form(word: str) -> str | None:
    """The base form of a regular past tense, by spelling; None for another word."""
    if not re.fullmatch(r"[a-z]{3,}ed", word) or word.endswith("eed"):
        return None
    stem = word[:-2]
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if re.search(r"([bdgmnprt])\1$", stem):
        return stem[:-1]
    return (
        stem + "e"
        if re.search(r"(?:[csvguz]|[aiu]t|at|ir|ur|id|ad|[aiou]k|[iu]n)$", stem) and not stem.endswith("ss")
        else stem
    )


def is_askable(sentence: str) -> bool:
    """Whether a question about this sentence makes sense on its own: long enough, and not opened by a pronoun."""
    words = sentence.split()
    return 8 <= len(words) <= 45 and words[0].lower() not in PRONOUNS and not sentence.endswith("?")
