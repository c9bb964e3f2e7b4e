"""Prose for the reader's practice, read from folders: plain text, Markdown and CNXML (the format of the OpenStax books)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from training.types import TrainingError

SUFFIXES = {".txt", ".md", ".cnxml"}
_NOT_PROSE = {"exercise", "metadata", "caption", "glossary", "table", "note-list", "equation"}
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)”\"’'][.!?])[”\"’]?\s+(?=[A-Z“\"‘])")
_CHOICES = "ABCDEFGH"


@dataclass(frozen=True)
class Article:
    """One file of prose. ``definitions`` are (term, meaning) pairs and ``quizzes`` (question, right choice) pairs, if it has any."""

    name: str
    paragraphs: tuple[str, ...]
    definitions: tuple[tuple[str, str], ...] = ()
    quizzes: tuple[tuple[str, str], ...] = ()


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph, in order; joined by one blank they give the paragraph back."""
    return _SENTENCE_END.sub("\n", paragraph).split("\n")


def read_articles(paths: Iterable[Path]) -> list[Article]:
    """Every text file under ``paths`` (files or folders) with some prose in it, in the order of their names.

    Raises :class:`TrainingError` when a path does not exist or holds no prose.
    """
    articles: list[Article] = []
    for path in paths:
        if not path.exists():
            raise TrainingError(
                f"There is no text at {path}; expected a file or a folder of {', '.join(sorted(SUFFIXES))} files."
            )
        found = [article for file in _files(path) if (article := _read(file)).paragraphs]
        if not found:
            raise TrainingError(f"{path} holds no paragraphs of prose in {', '.join(sorted(SUFFIXES))} files.")
        articles += found
    return articles


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.name != "LICENSE")


def _read(path: Path) -> Article:
    name = f"{path.parent.name}/{path.name}"
    if path.suffix == ".cnxml":
        return _read_cnxml(path, name)
    text = path.read_text(encoding="utf-8", errors="replace")
    return Article(name, _prose(re.split(r"\n\s*\n", text)))


def _prose(blocks: Iterable[str]) -> tuple[str, ...]:
    tidy = (" ".join(block.split()) for block in blocks)
    return tuple(
        block for block in tidy if 30 <= len(block.split()) <= 350 and block[0].isalnum() and block[-1] in '.!?”"'
    )


def _read_cnxml(path: Path, name: str) -> Article:
    # Books that whoever runs the recipe has chosen; expat bounds the expansion of entities, and no external one is read.
    root = ElementTree.fromstring(path.read_bytes())  # noqa: S314
    definitions = [(_text(d, "term"), _text(d, "meaning")) for d in _all(root, "definition")]
    quizzes = [quiz for exercise in _all(root, "exercise") if (quiz := _quiz(exercise)) is not None]
    paragraphs = _prose("".join(p.itertext()) for p in _paragraphs(root))
    return Article(name, paragraphs, tuple((t, m) for t, m in definitions if t and m), tuple(quizzes))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if _tag(element) == tag]


def _text(root: ElementTree.Element, tag: str) -> str:
    return next((" ".join("".join(e.itertext()).split()) for e in _all(root, tag)), "")


def _paragraphs(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in root:
        if _tag(child) == "para":
            yield child
        elif _tag(child) not in _NOT_PROSE:
            yield from _paragraphs(child)


def _quiz(exercise: ElementTree.Element) -> tuple[str, str] | None:
    """A multiple-choice question and the text of its right choice."""
    question = _text(exercise, "para")
    problem = next(iter(_all(exercise, "problem")), exercise)
    choices = [" ".join("".join(item.itertext()).split()) for item in _all(problem, "item")]
    solution = next(iter(_all(exercise, "solution")), None)
    letter = _text(solution, "para").strip(" .").upper() if solution is not None else ""
    if len(letter) != 1 or letter not in _CHOICES[: len(choices)] or not question:
        return None
    return question, choices[_CHOICES.index(letter)].rstrip(".")
