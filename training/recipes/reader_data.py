"""What the reader learns from: questions made out of prose, glossaries and quizzes of textbooks, generated pages, SQuAD rows."""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from training.generator import LEFT_OUT, examples
from training.generator.pages import DOMAINS
from training.recipes.reader_questions import Phrase, ask_for, is_askable, phrases
from training.recipes.reader_text import Article, sentences
from training.recipes.reader_words import FUNCTION_WORDS
from training.recurring_spans import practice
from training.types import Example, Gold, Target, TrainingError

SQUAD = "squad2_dev_part_shared.jsonl.gz"
SQUAD_SENTENCES = "squad_train_sentences.jsonl.gz"
VALIDATION_ARTICLES = ("Southern_California",)
"""Chosen on: the mix, the number of steps, the threshold."""
TEST_ARTICLES = ("Victoria_(Australia)", "Sky_(United_Kingdom)")
"""Kept out of everything; scored once at the end."""
_LIKED = {
    "date": 3.0,
    "count": 3.0,
    "person": 3.0,
    "name": 2.0,
    "place": 3.0,
    "quoted": 2.0,
    "reason": 2.0,
    "thing": 0.6,
}
_DEFINED = (
    "What is {m}?",
    "What is the term for {m}?",
    "What is the name for {m}?",
    "Which term means {m}?",
    "What do we call {m}?",
    "{m} is known as what?",
    "What term describes {m}?",
    "What word is used for {m}?",
)


@dataclass(frozen=True)
class Mix:
    """How many practice rows of each kind."""

    questions: int = 6_000
    recurring: int = 800
    generated: int = 1_000
    textbook: int = 2  # passes over glossaries and quizzes, each in other words and surroundings
    words: tuple[int, int] = (30, 85)  # words of prose around an answer
    unanswerable: float = 0.3


def load_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a gzipped JSON-lines file. Raises :class:`TrainingError` when it is missing or not that."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is not a readable .jsonl.gz file of questions: {error}") from error


def squad_rows(folder: Path, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows about the articles named in ``only`` (all by default), but not those in ``without``."""
    return [
        row for row in load_rows(folder / SQUAD) if (not only or row["title"] in only) and row["title"] not in without
    ]


def to_gold(row: dict[str, Any]) -> Gold:
    answers = () if row["is_impossible"] else tuple(answer["text"] for answer in row["answers"])
    return Gold(row["id"], row["question"], (row["context"],), answers)


def retrieved(rows: Sequence[dict[str, Any]]) -> list[Gold]:
    """What a search would bring: the answerable questions over their paragraph, and every question, as not answerable, over the
    paragraph of its article that shares most words with it and holds none of its answers."""
    golds = [to_gold(row) for row in rows]
    paragraphs = list(dict.fromkeys(row["context"] for row in rows))
    found = [gold for gold in golds if gold.answers]
    for gold in golds:
        answers = [answer.lower() for answer in gold.answers]
        others = [p for p in paragraphs if p != gold.passages[0] and not any(answer in p.lower() for answer in answers)]
        other = _likeliest(gold.text, others)
        if other is not None:
            found.append(Gold(f"{gold.id}-elsewhere", gold.text, (other,), ()))
    return found


def to_example(row: dict[str, Any]) -> Example:
    """The row with its shortest given answer."""
    if row["is_impossible"] or not row["answers"]:
        return Example(row["question"], row["context"], Target("", answerable=False))
    answer = min(row["answers"], key=lambda each: len(each["text"]))
    return Example(row["question"], row["context"], Target(answer["text"], start=answer["start"]))


def labelled(folder: Path) -> list[Example]:
    """The CC BY-SA rows to train on: SQuAD's articles but those kept out, and its single sentences."""
    rows = squad_rows(folder, without=(*VALIDATION_ARTICLES, *TEST_ARTICLES)) + load_rows(folder / SQUAD_SENTENCES)
    return [to_example(row) for row in rows]


def practice_rows(articles: Sequence[Article], mix: Mix, seed: int) -> list[Example]:
    """The practice rows of ``mix`` out of ``articles`` and the project's generator, in a fixed random order."""
    random = Random(f"reader-{seed}")
    rows = _asked(articles, mix, random) if articles else []
    rows += [row for _ in range(mix.textbook) for article in articles for row in _textbook(article, mix, random)]
    paragraphs = [
        paragraph for article in articles for paragraph in article.paragraphs if len(paragraph.split()) <= 130
    ]
    random.shuffle(paragraphs)
    rows += practice(paragraphs[: mix.recurring * 2], seed, per_passage=1, blank="what")[: mix.recurring]
    rows += _generated(mix.generated, seed)
    random.shuffle(rows)
    return rows


def _asked(articles: Sequence[Article], mix: Mix, random: Random) -> list[Example]:
    weights = [len(article.paragraphs) for article in articles]
    rows: list[Example] = []
    while len(rows) < mix.questions:
        article = random.choices(articles, weights)[0]
        row = _question_row(article, mix, random)
        if row is not None:
            rows.append(row)
    return rows


def _question_row(article: Article, mix: Mix, random: Random) -> Example | None:
    paragraph = random.choice(article.paragraphs)
    parts = sentences(paragraph)
    place = random.randrange(len(parts))
    found = phrases(parts[place]) if is_askable(parts[place]) else []
    if not found:
        return None
    phrase = random.choices(found, [_LIKED[each.sort] for each in found])[0]
    question = ask_for(parts[place], phrase, random)
    if question is None:
        return None
    if random.random() < mix.unanswerable:
        return _without_answer(question, phrase, article, (paragraph, parts, place), mix=mix, random=random)
    passage, offset = _around(parts, place, mix, random)
    text = parts[place][phrase.start : phrase.end]
    return Example(question, passage, Target(text, start=offset + phrase.start))


def _around(parts: Sequence[str], place: int, mix: Mix, random: Random) -> tuple[str, int]:
    """Whole sentences around the one at ``place``, about as many words as ``mix`` says, and that sentence's offset."""
    budget = random.randint(*mix.words) - len(parts[place].split())
    first, last = place, place + 1
    while budget > 0 and (first > 0 or last < len(parts)):
        if last == len(parts) or (first > 0 and random.random() < 0.5):
            first -= 1
            budget -= len(parts[first].split())
        else:
            budget -= len(parts[last].split())
            last += 1
    before = " ".join(parts[first:place])
    return " ".join(parts[first:last]), len(before) + 1 if before else 0


def _without_answer(
    question: str, phrase: Phrase, article: Article, where: tuple[str, list[str], int], *, mix: Mix, random: Random
) -> Example | None:
    """The question over text that does not answer it: its sentence removed, another paragraph, or a name in it exchanged."""
    paragraph, parts, place = where
    answer = parts[place][phrase.start : phrase.end]
    kind = random.random()
    if kind < 0.4 and len(parts) > 2:
        rest = parts[:place] + parts[place + 1 :]
        passage, _ = _around(rest, min(place, len(rest) - 1), mix, random)
    elif kind < 0.7 and (exchanged := _exchange(question, paragraph, answer, random)) is not None:
        question, (passage, _) = exchanged, _around(parts, place, mix, random)
        return Example(question, passage, Target("", answerable=False))
    else:
        other = _likeliest(
            question, [p for p in random.sample(article.paragraphs, min(8, len(article.paragraphs))) if p != paragraph]
        )
        if other is None:
            return None
        passage, _ = _around(sentences(other), 0, mix, random)
    return None if answer.lower() in passage.lower() else Example(question, passage, Target("", answerable=False))


def _exchange(question: str, paragraph: str, answer: str, random: Random) -> str | None:
    """The question with one of its names, years or numbers exchanged for another of the paragraph, which makes it another question."""
    names = re.compile(r"(?<!^)\b(?:[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*|\d[\d,.]*\d)\b")
    asked = [m for m in names.finditer(question) if m.start() > 0 and m[0].lower() not in FUNCTION_WORDS]
    offered = sorted({m[0] for m in names.finditer(paragraph) if m[0] not in question and m[0] not in answer})
    random.shuffle(asked)
    for match in asked:
        same = [
            name
            for name in offered
            if name[0].isdigit() == match[0][0].isdigit() and name.lower() not in FUNCTION_WORDS
        ]
        if same:
            return question[: match.start()] + random.choice(same) + question[match.end() :]
    return None


def _content(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if word not in FUNCTION_WORDS}


def _likeliest(question: str, paragraphs: Sequence[str]) -> str | None:
    asked = _content(question)
    return max(paragraphs, key=lambda paragraph: len(asked & _content(paragraph)), default=None)


def _textbook(article: Article, mix: Mix, random: Random) -> list[Example]:
    """Glossary entries and quizzes as questions over the paragraph that uses the word asked for."""
    asked = [(random.choice(_DEFINED).format(m=m.rstrip(". ")), term) for term, m in article.definitions]
    asked += [(_plain(question), answer) for question, answer in article.quizzes]
    rows = (_find(article, question[:1].upper() + question[1:], answer, (mix, random)) for question, answer in asked)
    return [row for row in rows if row is not None]


def _plain(question: str) -> str:
    """A quiz question without the choices that some repeat, its blank as a question word."""
    question = re.sub(r"_{2,}", "what", question)
    return question[: question.index("?") + 1] if "?" in question else question


def _find(article: Article, question: str, answer: str, how: tuple[Mix, Random]) -> Example | None:
    mix, random = how
    pattern = re.compile(rf"\b{re.escape(answer)}\b", re.IGNORECASE)
    is_answerable = random.random() >= mix.unanswerable / 2
    best = _likeliest(question, [text for text in article.paragraphs if bool(pattern.search(text)) == is_answerable])
    if best is None or len(question.split()) > 40:
        return None
    parts = sentences(best)
    if not is_answerable:
        return Example(
            question, _around(parts, random.randrange(len(parts)), mix, random)[0], Target("", answerable=False)
        )
    holding = [i for i, part in enumerate(parts) if pattern.search(part)]
    if not holding:
        return None
    place = max(holding, key=lambda i: len(_content(parts[i]) & _content(question)))
    passage, offset = _around(parts, place, mix, random)
    match = pattern.search(parts[place])
    return None if match is None else Example(question, passage, Target(match[0], start=offset + match.start()))


def _generated(count: int, seed: int) -> list[Example]:
    """Generated pages with the questions that a phrase of the page answers, or none."""
    pointing = {
        f.key for domain in DOMAINS.values() for f in domain.families if f.kind != "yes_no" and f.key not in LEFT_OUT
    }
    rows = examples(count * 2, seed, only=pointing)
    return [row for row in rows if not row.target.answerable or row.target.start is not None][:count]
