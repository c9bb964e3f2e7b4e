"""Labels in: the JSON lines that Errata exports, with the answers and passages they were about.

Each becomes the first decision of its person on its question. The answers shown then belong to a release of their own, which is
never served: they came from another installation, and nothing here may claim to have made them.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from retriever.cleaning import clean_text, document_sha256
from retriever.types import Rejected, Row
from training.answerers.rows import find_answer
from webapp.corpus.importing import Source, Stored, mapped_rows
from webapp.corpus.questions import cell, clean_question, question_sha256
from webapp.errors import Invalid
from webapp.label import service
from webapp.label.difference import edit_distance
from webapp.label.submission import DECISIONS, MAX_REASON, MAX_TEXT
from webapp.models import Answer, AnswerPassage, Document, Label, Passage, Person, Project, Question, Release, now
from webapp.people.service import clean_name
from webapp.releases.service import create_release

NAMES = (
    "external_id", "verdict", "reject_reason", "text", "passage", "document", "start", "end", "reason", "person", "seconds",
    "weight", "created_at", "shown_answer", "shown_answerable", "shown_score", "shown_passage", "prompt_version",
)  # fmt: skip
FIELDS: Mapping[str, tuple[str, ...]] = {"question": ("question",), **{name: (name,) for name in NAMES}}
REQUIRED = ("question", "verdict", "person")
RELEASE_REASON = "Answers that came with imported labels; not a model, never served."


@dataclass(frozen=True)
class Item:
    line: int
    question: str
    person: str
    decision: str  # a verdict, or the reason of a rejection
    values: Mapping[str, Any]
    context: str = ""  # the text the question was asked about, where that makes it another question

    def text(self, name: str) -> str:
        return clean_text(cell(self.values.get(name)))

    def submission_id(self, project: Project) -> str:
        parts = [str(project.id), self.question, self.person, self.decision, self.text("text"), self.text("created_at")]
        parts += [self.context] if self.context else []
        return "import-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:48]


def read(source: Source) -> Iterator[Item | Rejected]:
    for row in mapped_rows(source, fields=FIELDS, required=REQUIRED):
        yield row if isinstance(row, Rejected) else _item(row)


def _item(row: Row) -> Item | Rejected:
    values = row.values
    verdict, reason = cell(values.get("verdict")).strip(), cell(values.get("reject_reason")).strip()
    decision = reason if verdict == "reject" else verdict
    try:
        if decision not in DECISIONS or DECISIONS[decision][0] != verdict:
            raise Invalid(
                f"{verdict[:40]!r} with reason {reason[:40]!r} is no decision; expected {', '.join(DECISIONS)}."
            )
        item = Item(
            row.line,
            clean_question(cell(values.get("question"))),
            clean_name(cell(values.get("person"))),
            decision,
            values,
        )
        if verdict in ("accept", "correct") and not item.text("text").strip() and not _is_refusal(item):
            raise Invalid("An accepted or corrected label needs the right answer in its text.")
        if len(item.text("text")) > MAX_TEXT or len(item.text("reason")) > MAX_REASON:
            raise Invalid(
                f"The text or the reason is longer than {MAX_TEXT:,} or {MAX_REASON:,} characters; shorten it."
            )
    except Invalid as error:
        return Rejected(row.line, str(error))
    return item


def _is_refusal(item: Item) -> bool:
    """Accepting "not answerable": the text is empty because the answer was."""
    return item.decision == "accept" and item.values.get("shown_answerable") in (False, "False", "false", "0")


def store(session: Session, project: Project, items: list[Item]) -> Stored:
    result = Stored()
    for item in items:
        person = _person(session, item.person)
        question = _question(session, project, item)
        newest = service.newest_label(session, question, person.id)
        if newest is None:
            _add_label(session, project, item, question=question, person=person)
            result.added += 1
        elif _is_same(newest, item):
            result.duplicates += 1
        else:
            reason = f"{person.name} has decided this question already in another way (label {newest.id}); that label was kept."
            result.rejected.append(Rejected(item.line, reason))
    return result


def _is_same(label: Label, item: Item) -> bool:
    same_decision = DECISIONS[item.decision] == (label.verdict, label.reject_reason)
    return same_decision and label.text == item.text("text").strip()


def _person(session: Session, name: str) -> Person:
    """The person of this name, or a new one who cannot sign in until an administrator enables them."""
    person = session.scalar(select(Person).where(Person.name == name))
    if person is None:
        person = Person(name=name, role="annotator", active=False)
        session.add(person)
        session.flush()
    return person


def _question(session: Session, project: Project, item: Item) -> Question:
    sha256 = question_sha256(item.question, context=item.context)
    question = session.scalar(select(Question).where(Question.project_id == project.id, Question.sha256 == sha256))
    if question is None:
        question = Question(
            project_id=project.id, text=item.question, sha256=sha256, external_id=item.text("external_id")[:400]
        )
        session.add(question)
        session.flush()
    return question


def _add_label(session: Session, project: Project, item: Item, *, question: Question, person: Person) -> None:
    answer = _answer(session, project, item, question)
    passage = _passage(session, project, item.text("passage"), title=item.text("document"))
    verdict, reject_reason = DECISIONS[item.decision]
    text = item.text("text").strip() if verdict in ("accept", "correct") else ""
    start, end = _span(item, passage)
    label = Label(
        project_id=project.id, question_id=question.id, person_id=person.id, answer_id=answer.id if answer else None,
        round=question.round, version=1, submission_id=item.submission_id(project), verdict=verdict, reject_reason=reject_reason, text=text,
        passage_id=passage.id if passage else None, start=start, end=end, reason=item.text("reason").strip(),
        edit_distance=edit_distance(answer.text if answer else "", text) if verdict == "correct" else 0,
        seconds=_number(item.values.get("seconds")), weight=_weight(item.values.get("weight")), created_at=_moment(item.text("created_at")),
    )  # fmt: skip
    session.add(label)
    session.flush()
    service.settle(session, question, person_id=person.id)


def _span(item: Item, passage: Passage | None) -> tuple[int | None, int | None]:
    start, end = item.values.get("start"), item.values.get("end")
    if (
        passage is None
        or not isinstance(start, int)
        or not isinstance(end, int)
        or not 0 <= start < end <= len(passage.text)
    ):
        return None, None
    return start, end


def _number(value: Any) -> float:
    try:
        return min(max(float(value), 0.0), 86_400.0)
    except (TypeError, ValueError):
        return 0.0


def _weight(value: Any) -> float:
    """How much the label counts: 1 where the row does not say, never more than a label made here or its opposite."""
    try:
        weight = float(value)
    except (TypeError, ValueError):
        return 1.0
    return min(max(weight, -1.0), 1.0) if math.isfinite(weight) else 1.0


def _moment(value: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return now()
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _answer(session: Session, project: Project, item: Item, question: Question) -> Answer | None:
    """The answer the label was about, with the passage it was read in; None when the row names none."""
    if item.values.get("shown_answer") is None:
        return None
    text = item.text("shown_answer")
    # Of which passages a wrong "not answerable" was said, a row tells only where the question was asked about one text.
    tells_passage = bool(text) or item.decision != "wrong_answer" or bool(item.context)
    shown = item.text("shown_passage") if tells_passage else ""
    passage = _passage(session, project, shown, title=item.text("document"))
    score = min(_number(item.values.get("shown_score")), 1.0)
    start, end = (find_answer(text, passage.text) if passage is not None else None) or (None, None)
    answer = Answer(
        question_id=question.id, release_id=_release(session, project).id, text=text, answerable=bool(text), score=score,
        answerable_score=score if text else 1 - score, log_probability=0.0, best_text=text, passage_id=passage.id if passage else None,
        start=start, end=end, prompt_version=item.text("prompt_version")[:40],
        retrieval_s=0.0, answer_s=0.0,
    )  # fmt: skip
    session.add(answer)
    session.flush()
    if passage is not None:
        session.add(AnswerPassage(answer_id=answer.id, rank=1, passage_id=passage.id, score=score))
    return answer


def _release(session: Session, project: Project) -> Release:
    found = select(Release).where(Release.project_id == project.id, Release.reason == RELEASE_REASON)
    release = session.scalar(found)
    if release is None:
        release = create_release(
            session, project, answerer_path="", answerer_sha256="", index=None, reason=RELEASE_REASON
        )
        session.execute(update(Release).where(Release.id == release.id).values(state="retired"))
    return release


def _passage(session: Session, project: Project, text: str, *, title: str) -> Passage | None:
    """The passage with this text; a new document of one passage when the corpus has none."""
    if not text.strip():
        return None
    passage = session.scalar(select(Passage).where(Passage.project_id == project.id, Passage.text == text).limit(1))
    if passage is not None:
        return passage
    sha256 = document_sha256(text)
    alive = (Document.project_id == project.id, Document.sha256 == sha256, Document.deleted_at.is_(None))
    document = session.scalar(select(Document).where(*alive))
    if document is None:
        document = Document(project_id=project.id, title=title[:300], text=text, sha256=sha256)
        session.add(document)
        session.flush()
    passage = session.scalar(
        select(Passage).where(Passage.document_id == document.id).order_by(Passage.position).limit(1)
    )
    if passage is None:
        passage = Passage(
            project_id=project.id,
            document_id=document.id,
            position=0,
            start=0,
            end=len(document.text),
            text=document.text,
        )
        session.add(passage)
        session.flush()
    return passage
