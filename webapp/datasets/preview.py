"""What the labels of now teach, row by row and kind by kind, as a model would get it; and what a frozen dataset held."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from training.tasks import Task, get_task
from training.types import Example
from webapp.datasets.decisions import Decided, LeftOut, Row
from webapp.datasets.examples import Texts, to_example, to_preference
from webapp.datasets.freeze import EVALUATION_AT_MOST, has_gold
from webapp.datasets.service import contrast, count_kinds, decide_labels, load_texts
from webapp.datasets.triples import Found, Triple, passed_over
from webapp.label.blind import hidden_from
from webapp.models import Dataset, DatasetLabel, Iteration, Label, Project, Question, db
from webapp.projects.settings import read as read_settings

Item = Row | Found | Example


@dataclass(frozen=True)
class PreviewRow:
    """One row of any kind: ``prompt`` and ``target`` are the text a model trains on, ``triple`` what a retriever does."""

    kind: str
    split: str
    labels: tuple[int, ...]  # behind it, the one that tells what is right first
    question_text: str
    weight: float = 1.0
    prompt: str = ""
    target: str = ""
    rejected: str = ""  # the target that ``target`` is preferred to
    is_found: bool = True  # the answer stands word for word in the passage
    is_passage_only: bool = False
    is_blind: bool = False  # the person who decided did not see the model's answer
    is_hidden: bool = False  # whoever looks has still to decide the question blind: nothing said or written is in here
    triple: Triple | None = None


@dataclass(frozen=True)
class Preview:
    counts: dict[str, int]
    rows: tuple[PreviewRow, ...]
    left_out: tuple[LeftOut, ...]
    page: int
    pages: int
    total: int
    has_gold: bool = False  # imported questions that nobody labelled judge in the split shown too


def preview(
    project: Project, *, viewer_id: int, kind: str = "", split: str = "", page: int = 1, page_size: int = 25
) -> Preview:
    """One page of the exact rows a dataset frozen now would hold: of a kind, ``left_out`` or "" for all; of a split or "" for all.

    A row of a question that ``viewer_id`` has still to decide blind comes without its texts.
    """
    decided = decide_labels(project)
    at_most = read_settings(project).passed_over
    loaded = load_texts(decided.rows if at_most else _unsure(decided), decided.lookups)
    triples, left_out = contrast(decided, loaded)
    extra = _passed_over(decided, triples, loaded, at_most=at_most) if at_most else []
    counts = {**count_kinds(decided, triples, left_out), "passed_over": len(extra)}
    if kind == "left_out":
        chosen, pages, page = _page_of(left_out, page, page_size)
        return Preview(counts, (), tuple(chosen), page, pages, len(left_out))
    everything: list[Item] = [*decided.rows, *decided.preferences, *decided.rejects, *triples, *extra]
    matching = [item for item in everything if kind in ("", _kind(item)) and split in ("", _split(item))]
    chosen, pages, page = _page_of(sorted(matching, key=_label), page, page_size)
    texts = load_texts([item for item in chosen if isinstance(item, Row)])
    task = get_task(project.task)
    rows = tuple(_to_preview(item, texts, task) for item in chosen)
    labelled = {row.question for row in decided.rows if row.split == split}
    gold = split in EVALUATION_AT_MOST and has_gold(project, split, labelled=labelled)
    return Preview(counts, _mark_blind(rows, project, viewer_id), (), page, pages, len(matching), gold)


def _mark_blind(rows: Sequence[PreviewRow], project: Project, viewer_id: int) -> tuple[PreviewRow, ...]:
    """Which were decided blind, and of which the viewer must not see what others did because they have still to decide blind."""
    labels = [label for row in rows for label in row.labels]
    found = db.session.execute(
        select(Label.id, Label.is_blind, Question).join(Question, Question.id == Label.question_id).where(Label.id.in_(labels))
    ).all()  # fmt: skip
    hidden = hidden_from(db.session(), project, viewer_id, [question for _, _, question in found])
    unseen = {label for label, _, question in found if question.id in hidden}
    blind = {label for label, is_blind, _ in found if is_blind}
    marked = [replace(row, is_blind=not blind.isdisjoint(row.labels)) for row in rows]
    return tuple(row if unseen.isdisjoint(row.labels) else _hide(row) for row in marked)


def _hide(row: PreviewRow) -> PreviewRow:
    return replace(row, prompt="", target="", rejected="", triple=None, is_hidden=True)


def _unsure(decided: Decided) -> list[Row]:
    return [row for row in decided.rows if row.answerable and not row.passage_chosen]


def _passed_over(decided: Decided, triples: Sequence[Found], texts: Texts, *, at_most: int) -> list[Example]:
    """Rows beside the labels, where the project learns from passages that were shown beside the right one."""
    train = [to_example(row, texts) for row in decided.rows if row.split == "train"]
    return passed_over(train, [found.triple for found in triples if found.triple.split == "train"], at_most=at_most)


def _kind(item: Item) -> str:
    return "triple" if isinstance(item, Found) else item.kind


def _split(item: Item) -> str:
    if isinstance(item, Example):
        return "train"
    return item.triple.split if isinstance(item, Found) else item.split


def _label(item: Item) -> int:
    return (item.triple.label if isinstance(item, Found) else item.label) or 0


def _page_of(rows: Sequence[Any], page: int, page_size: int) -> tuple[list[Any], int, int]:
    pages = max(1, -(-len(rows) // page_size))
    page = min(max(page, 1), pages)
    return list(rows[(page - 1) * page_size : page * page_size]), pages, page


def _to_preview(item: Item, texts: Texts, task: Task) -> PreviewRow:
    if isinstance(item, Found):
        return _from_triple(item)
    return _from_example(item, task) if isinstance(item, Example) else _from_row(item, texts, task)


def _from_example(example: Example, task: Task) -> PreviewRow:
    prompt, target = task.format(example.text, example.passage), task.format_target(example.target)
    labels = (example.label or 0,)
    return PreviewRow(example.kind, "train", labels, example.text, example.weight, prompt, target, is_passage_only=True)


def _from_triple(found: Found) -> PreviewRow:
    triple = found.triple
    return PreviewRow("triple", triple.split, found.labels, triple.text, triple=triple)


def _from_row(row: Row, texts: Texts, task: Task) -> PreviewRow:
    example = to_example(row, texts)
    rejected = task.format_target(to_preference(row, texts).rejected) if row.rejected is not None else ""
    return PreviewRow(
        row.kind, row.split, (row.label,), row.question_text, row.weight, task.format(example.text, example.passage),
        task.format_target(example.target), rejected, example.target.start is not None or not row.answerable, row.is_passage_only,
    )  # fmt: skip


@dataclass(frozen=True)
class FrozenLabel:
    label: int
    question: str
    decision: str
    kinds: str
    split: str
    is_superseded: bool


@dataclass(frozen=True)
class UsedBy:
    """An iteration, and the rows of passages passed over that it made of the dataset: learned from, but not among the files."""

    iteration: int
    passed_over: int


@dataclass(frozen=True)
class Frozen:
    """The labels a dataset was made of, one page of them, and the iterations that used it."""

    labels: tuple[FrozenLabel, ...]
    iterations: tuple[UsedBy, ...]
    page: int
    pages: int
    total: int


def describe_frozen(dataset: Dataset, *, page: int = 1, page_size: int = 50) -> Frozen:
    newer = aliased(Label)
    where = DatasetLabel.dataset_id == dataset.id
    total = db.session.scalar(select(func.count(DatasetLabel.label_id.distinct())).where(where)) or 0
    pages = max(1, -(-total // page_size))
    page = min(max(page, 1), pages)
    statement = (
        select(
            Label.id, Question.text, func.coalesce(Label.reject_reason, Label.verdict),
            func.aggregate_strings(DatasetLabel.kind, ","), func.min(DatasetLabel.split), func.count(newer.id) > 0,
        )
        .join(DatasetLabel, DatasetLabel.label_id == Label.id).join(Question, Question.id == Label.question_id)
        .outerjoin(newer, newer.supersedes_id == Label.id)
        .where(where).group_by(Label.id, Question.text).order_by(Label.id).limit(page_size).offset((page - 1) * page_size)
    )  # fmt: skip
    users = (
        select(Iteration.number, Iteration.config).where(Iteration.dataset_id == dataset.id).order_by(Iteration.number)
    )
    labels = tuple(
        FrozenLabel(label, text, decision, ", ".join(sorted(kinds.split(","))), split, changed)
        for label, text, decision, kinds, split, changed in db.session.execute(statement)
    )
    used_by = tuple(
        UsedBy(number, config.get("learned", {}).get("rows", {}).get("passed_over", 0))
        for number, config in db.session.execute(users)
    )
    return Frozen(labels, used_by, page, pages, total)
