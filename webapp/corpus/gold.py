"""Gold rows in: a question with its right answers and the text they are in. The text becomes a document of the corpus too."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from retriever.cleaning import clean_text, document_sha256
from retriever.types import Document as Text
from retriever.types import Rejected, Row
from training.answerers.rows import find_answer
from webapp.corpus import documents, questions
from webapp.corpus.importing import Source, Stored, Warned, mapped_rows
from webapp.corpus.questions import cell, clean_question, question_sha256
from webapp.errors import Invalid
from webapp.models import Project, Question

FIELDS: Mapping[str, tuple[str, ...]] = {
    **questions.FIELDS,
    "title": ("title", "name", "article"),
    "context": ("context", "passage", "document", "paragraph"),
    "answers": ("answers", "answer", "gold", "target", "label", "summary"),
    "is_impossible": ("is_impossible", "impossible", "unanswerable"),
}
REQUIRED = ("question", "answers")
LAST_IN_QUEUE = 1.0  # their answers are known: people label what nobody knows first
TRUE_WORDS = ("1", "true", "yes")


@dataclass(frozen=True)
class Item:
    line: int
    id: str
    text: str
    title: str
    gold: dict[str, Any]

    @property
    def sha256(self) -> str:
        return question_sha256(self.text, context=self.gold["context"])


def read(source: Source) -> Iterator[Item | Rejected]:
    for row in mapped_rows(source, fields=FIELDS, required=REQUIRED):
        yield row if isinstance(row, Rejected) else _item(row)


def _item(row: Row) -> Item | Rejected:
    values = row.values
    try:
        text = clean_question(cell(values.get("question")))
        # Offsets count the characters of the context as the file has it, so only its edges are left alone here.
        context = cell(values.get("context"))
        answers = [_placed(answer, context) for answer in _answers(values.get("answers"))]
        is_impossible = cell(values.get("is_impossible")).strip().lower() in TRUE_WORDS
        if not answers and not is_impossible:
            raise Invalid('The row has no answer and is not marked "is_impossible"; give one of the two.')
    except Invalid as error:
        return Rejected(row.line, str(error))
    gold = {"answers": [] if is_impossible else answers, "is_impossible": is_impossible, "context": context}
    return Item(row.line, cell(values.get("id")).strip()[:400], text, " ".join(cell(values.get("title")).split()), gold)


def _answers(value: Any) -> list[dict[str, Any]]:
    """Answers given as a list of ``{"text", "start"}`` or of texts, or as one text (JSON, when it looks like a list)."""
    if isinstance(value, str):
        stripped = value.strip()
        value = _json_list(stripped) if stripped.startswith("[") else [stripped]
    if value is None:
        return []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Invalid(f'Answers are a list of {{"text", "start"}} objects or of texts, not {value!r:.60}.')
    found = [_answer(one) for one in value]
    return [answer for answer in found if answer["text"].strip()]


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return [text]


def _answer(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        text = value.get("text")
        start = value.get("start", value.get("answer_start"))
        if isinstance(text, str) and (start is None or (isinstance(start, int) and not isinstance(start, bool))):
            return {"text": clean_text(text), "start": start}
    if isinstance(value, str):
        return {"text": clean_text(value), "start": None}
    raise Invalid(f'An answer is a text or {{"text": "...", "start": number}}, not {value!r:.60}.')


def _placed(answer: dict[str, Any], context: str) -> dict[str, Any]:
    """The answer with a ``start`` that is true of the context: corrected where the text lies elsewhere, refused where it lies nowhere."""
    text, start = answer["text"], answer["start"]
    if start is None or not context:
        return answer
    if start >= 0 and context[start : start + len(text)] == text:
        return answer
    found = find_answer(text, context)
    if found is None:
        raise Invalid(
            f"The answer {text[:60]!r} is not in the context at {start}, nor anywhere else in it; correct the row."
        )
    return {"text": context[found[0] : found[1]], "start": found[0]}


def store(session: Session, project: Project, items: list[Item]) -> Stored:
    """Store what is new. A question that is there without a known answer gets it, and keeps its place in the queue and its labels."""
    result = Stored()
    hashes = [item.sha256 for item in items]
    known = questions.known_hashes(session, project, hashes)
    bare = questions.known_hashes(session, project, hashes, without_gold=True)
    named = questions.known_ids(session, project, [item.id for item in items if item.id])
    kept, completed = [], []
    for item in items:
        if item.sha256 in bare:
            bare.remove(item.sha256)
            completed.append(item)
        elif item.sha256 in known:
            result.duplicates += 1
        elif item.id and item.id in named:
            result.rejected.append(questions.taken(item.line, item.id))
        else:
            known.add(item.sha256)
            named |= {item.id}
            kept.append(item)
    result.warnings = [warning for item in (*kept, *completed) if (warning := _warning(item)) is not None]
    if kept:
        session.execute(insert(Question), [_row(project, item) for item in kept])
    for item in completed:
        here = (Question.project_id == project.id, Question.sha256 == item.sha256)
        session.execute(update(Question).where(*here).values(gold=item.gold))
    documents.store(session, project, _contexts(items))
    result.added = len(kept) + len(completed)
    return result


def _warning(item: Item) -> Warned | None:
    """An answer in other words than the context's may be meant so, but a model that points into the text can never give it."""
    context = clean_text(item.gold["context"])
    missing = [
        answer["text"]
        for answer in item.gold["answers"]
        if find_answer(answer["text"].strip(), context, answer["start"]) is None
    ]
    if not context or not missing:
        return None
    named = ", ".join(repr(text[:60]) for text in missing[:3])
    is_one = len(missing) == 1
    return Warned(
        item.line,
        f"The answer{'' if is_one else 's'} {named} {'is' if is_one else 'are'} not in the row's context. The row came in as it is; if "
        "that is a slip, correct the file, because a model that points into the text can never give such an answer.",
    )


def _row(project: Project, item: Item) -> dict[str, Any]:
    return {
        "project_id": project.id, "external_id": item.id, "text": item.text, "sha256": item.sha256, "source": "gold", "gold": item.gold,
        "priority": LAST_IN_QUEUE,
    }  # fmt: skip


def _contexts(items: list[Item]) -> list[Text]:
    """Each context once; cleaned like any document, so that it is the same document as when imported as one."""
    found: dict[str, Text] = {}
    for item in items:
        text = clean_text(item.gold["context"])
        if text.strip():
            sha256 = document_sha256(text)
            found.setdefault(sha256, Text("", item.title, text, sha256, item.line))
    return list(found.values())
