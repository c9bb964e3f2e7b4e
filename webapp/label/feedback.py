"""Feedback in: rows {question, context, prediction, feedback} from people who marked what some model had answered.

A mark is a label of its own weight: ``Correct`` accepts the prediction and counts 1, ``Partially Correct`` accepts it and counts 0.5,
``Wrong`` rejects it as a wrong answer and counts -0.1, which draws a model away from that answer a little (Gao et al. 2023,
"Continually Improving Extractive QA via Human Feedback"). A question is one of a kind together with its context.
Answers and passages are stored as those of imported labels are: under a release that is no model and is never served.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from retriever.cleaning import clean_text
from retriever.types import Rejected, Row
from webapp.corpus.importing import Source, Stored, mapped_rows
from webapp.corpus.questions import cell, clean_question
from webapp.errors import Invalid
from webapp.label import importing
from webapp.label.submission import MAX_TEXT
from webapp.models import Project
from webapp.people.service import clean_name

FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "qid", "question_id", "external_id"),
    "question": ("question", "query"),
    "context": ("context", "passage", "paragraph"),
    "prediction": ("prediction", "predicted", "predicted_answer", "model_answer", "answer"),
    "feedback": ("feedback", "mark", "rating", "judgement"),
    "title": ("title", "document", "article"),
    "person": ("person", "annotator", "user"),
}
REQUIRED = ("question", "context", "prediction", "feedback")
PERSON = "imported feedback"
MARKS = {
    "correct": ("accept", 1.0), "right": ("accept", 1.0),
    "partially correct": ("accept", 0.5), "partly correct": ("accept", 0.5), "partial": ("accept", 0.5),
    "wrong": ("wrong_answer", -0.1), "incorrect": ("wrong_answer", -0.1),
}  # fmt: skip
REFUSALS = ("unanswerable", "not answerable", "no answer")


def read(source: Source) -> Iterator[importing.Item | Rejected]:
    for row in mapped_rows(source, fields=FIELDS, required=REQUIRED):
        yield row if isinstance(row, Rejected) else _item(row)


def store(session: Session, project: Project, items: list[importing.Item]) -> Stored:
    return importing.store(session, project, items)


def _item(row: Row) -> importing.Item | Rejected:
    values = row.values
    try:
        question = clean_question(cell(values.get("question")))
        person = clean_name(cell(values.get("person")).strip() or PERSON)
        decision, weight = decide(cell(values.get("feedback")))
        context = _context(values.get("context"))
        prediction = clean_prediction(values.get("prediction"))
    except Invalid as error:
        return Rejected(row.line, str(error))
    is_accepted = decision == "accept"
    shown = {
        "external_id": cell(values.get("id")).strip(), "document": cell(values.get("title")),
        "passage": context if is_accepted else "",  # "Wrong" says nothing of where a right answer stands
        "text": prediction if is_accepted else "", "weight": weight,
        "shown_answer": prediction, "shown_answerable": bool(prediction), "shown_passage": context,
    }  # fmt: skip
    return importing.Item(row.line, question, person, decision, shown, context=context)


def decide(mark: str) -> tuple[str, float]:
    """The decision and the weight of a mark. Raises :class:`Invalid` naming those that are understood."""
    plain = " ".join(mark.replace("_", " ").replace("-", " ").casefold().split())
    if plain not in MARKS:
        raise Invalid(f"The feedback is {mark[:40]!r}; expected Correct, Partially Correct or Wrong.")
    return MARKS[plain]


def clean_prediction(value: Any) -> str:
    """What the model said; "" where it said that there is no answer. Raises :class:`Invalid` where the row does not tell."""
    if value is None:
        raise Invalid('The row has no prediction; give what the model said, "" where it said that there is no answer.')
    text = clean_text(cell(value)).strip()
    if len(text) > MAX_TEXT:
        raise Invalid(f"The prediction has {len(text):,} characters where at most {MAX_TEXT:,} fit; shorten it.")
    words = text.casefold().strip("[]()<>.! ")
    # Some systems write a sentence in brackets where they found nothing.
    is_refusal = words in REFUSALS or (text.startswith("[") and words.startswith(REFUSALS))
    return "" if is_refusal else text


def _context(value: Any) -> str:
    context = clean_text(cell(value)).strip()
    if not context:
        raise Invalid("The row has no context; give the text that the model read.")
    return context
