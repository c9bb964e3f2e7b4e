"""What a question's labels say about its passages becomes the retriever's rows: the right passage, and shown ones that are not. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.types import Example, Target
from webapp.datasets.decisions import LeftOut, Lookup
from webapp.datasets.examples import Texts, locate, passage_of

DELETED = (
    "The document of its passage was deleted: it still teaches the answerer, but nothing is to be found there any more."
)


@dataclass(frozen=True)
class Triple:
    """``positive`` answers ``text``, ``negatives`` do not, the surest first; there may be none. ``label`` named the right passage."""

    text: str
    positive: str
    negatives: tuple[str, ...]
    positive_id: int
    negative_ids: tuple[int, ...]
    label: int
    split: str


@dataclass(frozen=True)
class Found:
    """A triple with the question and all the labels that it is made of."""

    question: int
    triple: Triple
    labels: tuple[int, ...]


def to_triple(lookup: Lookup, texts: Texts) -> Found | LeftOut | None:
    """None while no right passage is known: rejected passages alone cannot be contrasted with anything."""
    right = _right_passage(lookup, texts)
    if right is None:
        return None
    label, positive = right
    if positive in texts.deleted:
        return LeftOut(label, lookup.question, lookup.question_text, "deleted_passage", DELETED)
    negatives = _negatives(lookup, positive, texts)
    triple = Triple(
        lookup.question_text, texts.passages[positive], tuple(texts.passages[passage] for passage in negatives),
        positive, tuple(negatives), label, lookup.split,
    )  # fmt: skip
    used = [label, *(other for other, passage in lookup.ruled_out if passage in negatives)]
    return Found(lookup.question, triple, tuple(dict.fromkeys(used)))


def _right_passage(lookup: Lookup, texts: Texts) -> tuple[int, int] | None:
    """The label that tells the right passage, and that passage: the answer's own, else the newest that a person pointed to."""
    row = lookup.answered
    if row is not None and not row.answerable:
        return None
    if row is not None and row.weight > 0:
        passage = passage_of(row, texts) or 0
        # An answer that stands nowhere in the passage it was read in says little about that passage, unless a person vouched for it.
        vouched = row.passage_chosen or row.kind == "accept"
        if passage in texts.passages and (vouched or locate(row.text, texts.passages[passage]) is not None):
            return row.label, passage
    rejected_by = {passage: label for label, passage in lookup.ruled_out}
    for label, passage in lookup.chosen:
        if passage in texts.passages and label > rejected_by.get(passage, 0):
            return label, passage
    return None


def _negatives(lookup: Lookup, positive: int, texts: Texts) -> list[int]:
    """Rejected passages, then those shown that nobody chose; one that holds the right answer's words may be right too.

    Where the right passage does not hold them either ("yes", say), which of those shown support the answer cannot be told.
    """
    chosen = {passage for _, passage in lookup.chosen}
    answer = lookup.answered.text if lookup.answered is not None else ""
    is_told = not answer or locate(answer, texts.passages[positive]) is not None
    found: dict[int, None] = {passage: None for _, passage in lookup.ruled_out}
    for shown in lookup.shown if is_told else ():
        for passage in texts.shown.get(shown, ()):
            if passage not in chosen and locate(answer, texts.passages.get(passage, "")) is None:
                found[passage] = None
    same = texts.passages[positive].split()
    return [
        passage for passage in found
        if passage != positive and passage not in texts.deleted and texts.passages.get(passage, "").split() not in ([], same)
    ]  # fmt: skip


def passed_over(train: Sequence[Example], triples: Iterable[Triple], *, at_most: int) -> list[Example]:
    """For each training answer its question with ``at_most`` of the passages that were shown and do not hold its words.

    An answer that stands nowhere word for word ("yes", say) gives none: which passages support it cannot be told by its words. A
    passage that somebody rejected for the question is a training row already.
    """
    answers = {row.label: row for row in train if row.target.answerable and row.target.start is not None}
    learned = {(row.text, row.passage) for row in train}
    found: list[Example] = []
    for triple in triples:
        row = answers.get(triple.label)
        if row is None:
            continue
        passages = [passage for passage in triple.negatives if (triple.text, passage) not in learned][:at_most]
        found += [
            Example(triple.text, each, Target("", False), row.weight, "passed_over", triple.label) for each in passages
        ]
    return found
