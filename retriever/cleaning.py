"""From a file's raw characters to text that can be stored, shown and compared: control characters, HTML, Markdown, hashes."""

import hashlib
import re
from typing import TYPE_CHECKING

from retriever.types import RetrieverError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

# NUL and its kin cannot be stored in every database and are never text; tab and newline stay.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_DROPPED_TAGS = ("script", "style", "template", "noscript", "iframe", "object", "svg", "select", "button")
_BLOCK_TAGS = (
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody tfoot thead tr ul"
).split()
_LINE_BREAK, _CELL_BREAK = "\ue000", "\ue001"  # private-use characters: they survive whitespace folding


def clean_text(text: str) -> str:
    """``text`` with Unix line ends, without control characters, with U+FFFD for lone surrogates (JSON can smuggle them in)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return _LONE_SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def document_sha256(text: str) -> str:
    """The duplicate key of a text: sha256 of its words joined by single spaces, so that re-wrapped copies are equal."""
    return hashlib.sha256(" ".join(clean_text(text).split()).encode("utf-8")).hexdigest()


def html_text(html: str) -> tuple[str, str]:
    """``(title, text)`` of an HTML page: one line per block, scripts and styles dropped, entities decoded.

    Raises :class:`RetrieverError` when the markup is nested too deeply to be read.
    """
    from bs4 import BeautifulSoup

    try:
        soup = BeautifulSoup(html.replace(_LINE_BREAK, " ").replace(_CELL_BREAK, " "), "lxml")
        title = _html_title(soup)
        text = _block_text(soup)
    except RecursionError as error:
        raise RetrieverError("The page's tags are nested too deeply to be read; save it as plain text.") from error
    return title, clean_text(text)


def _html_title(soup: "BeautifulSoup") -> str:
    for name in ("title", "h1"):
        tag = soup.find(name)
        if tag is not None and tag.get_text(" ", strip=True):
            return " ".join(clean_text(tag.get_text(" ")).split())
    return ""


def _block_text(soup: "BeautifulSoup") -> str:
    if soup.head is not None:
        soup.head.extract()
    for tag in soup.find_all(_DROPPED_TAGS):
        tag.extract()
    for tag in soup.find_all("pre"):
        for piece in tag.find_all(string=True):
            piece.replace_with(str(piece).replace("\n", _LINE_BREAK))
    for tag in soup.find_all(_BLOCK_TAGS):
        tag.insert_before(_LINE_BREAK)
        tag.insert_after(_LINE_BREAK)
    for tag in soup.find_all(["td", "th"]):
        tag.insert_after(_CELL_BREAK)
    for tag in soup.find_all("br"):
        tag.replace_with(_LINE_BREAK)
    folded = " ".join(soup.get_text("").split())
    lines = (line.replace(_CELL_BREAK, "  ").strip() for line in folded.split(_LINE_BREAK))
    return "\n".join(line for line in lines if line)


def markdown_text(markdown: str) -> tuple[str, str]:
    """``(title, text)`` of a Markdown file: headings as lines, marks, link targets and front matter dropped.

    The title is the first heading. Markdown is read as CommonMark with tables, through HTML.
    """
    from markdown_it import MarkdownIt

    body = _FRONT_MATTER.sub("", clean_text(markdown), count=1)
    return html_text(MarkdownIt("commonmark").enable("table").render(body))
