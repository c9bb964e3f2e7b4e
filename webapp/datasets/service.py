"""Labels → examples, the dataset page's figures, and freezing. Every query over labels for learning is here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from training.tasks import Task, get_task
from training.types import Example
from webapp.datasets.decisions import Decided, Judged, LeftOut, Row, decide
from webapp.datasets.examples import Evaluation, Texts, passage_of, to_evaluations, to_example
from webapp.label import service as label_service
from webapp.models import Answer, AnswerPassage, Dataset, DatasetLabel, Iteration, Label, Passage, Project, Question, db

_CHUNK = 500


@dataclass(frozen=True)
class Built:
    """Everything the labels give, before rehearsal rows are mixed in."""

    decided: Decided
    train: tuple[Example, ...]
    validation: tuple[Evaluation, ...]
    test: tuple[Evaluation, ...]


@dataclass(frozen=True)
class PreviewRow:
    row: Row
    passage: str
    prompt: str
    target: str
    is_found: bool  # the answer stands word for word in the passage


@dataclass(frozen=True)
class Preview:
    counts: dict[str, int]
    rows: tuple[PreviewRow, ...]
    left_out: tuple[LeftOut, ...]
    page: int
    pages: int
    total: int


def judged_labels(project_id: int) -> list[Judged]:
    """Every current label with what decides its row; no passage texts, so that 50,000 labels stay small."""
    first = aliased(AnswerPassage)
    statement = (
        label_service.current_labels(project_id)
        .join(Question, Question.id == Label.question_id)
        .outerjoin(Answer, Answer.id == Label.answer_id)
        .outerjoin(first, (first.answer_id == Label.answer_id) & (first.rank == 1))
        .with_only_columns(
            Label.id, Label.question_id, Question.text, Label.verdict, Label.reject_reason, Label.text,
            Label.passage_id, Label.start, Label.answer_id, Answer.passage_id, first.passage_id,
            maintain_column_froms=True,
        )
        .order_by(None)
        .order_by(Label.id)
    )  # fmt: skip
    return [Judged(*tuple(row)) for row in db.session.execute(statement).all()]


def decide_labels(project: Project) -> Decided:
    return decide(judged_labels(project.id), uses_passages=get_task(project.task).USES_PASSAGES)


def load_texts(rows: Sequence[Row]) -> Texts:
    shown = _shown_passages({row.answer for row in rows if row.answer is not None})
    wanted = {row.passage for row in rows if row.passage is not None}
    return Texts(_passage_texts(wanted.union(*shown.values())), shown)


def _shown_passages(answers: Iterable[int]) -> dict[int, list[int]]:
    shown: dict[int, list[int]] = {}
    for chunk in _chunks(answers):
        statement = (
            select(AnswerPassage.answer_id, AnswerPassage.passage_id)
            .where(AnswerPassage.answer_id.in_(chunk))
            .order_by(AnswerPassage.answer_id, AnswerPassage.rank)
        )
        for answer, passage in db.session.execute(statement):
            shown.setdefault(answer, []).append(passage)
    return shown


def _passage_texts(ids: Iterable[int]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for chunk in _chunks(ids):
        texts.update(
            {
                row[0]: row[1]
                for row in db.session.execute(select(Passage.id, Passage.text).where(Passage.id.in_(chunk)))
            }
        )
    return texts


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(ids)
    return (ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK))


def build_examples(project: Project) -> Built:
    """All labels of the project as examples and evaluation rows. The one place where a label becomes something to learn."""
    decided = decide_labels(project)
    texts = load_texts(decided.rows)
    by_split: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for row in decided.rows:
        by_split[row.split].append(row)
    return Built(
        decided,
        tuple(to_example(row, texts) for row in by_split["train"]),
        tuple(to_evaluations(by_split["validation"], texts)),
        tuple(to_evaluations(by_split["test"], texts)),
    )


def count_kinds(decided: Decided) -> dict[str, int]:
    """``negative`` counts every decision that rules something out, rows or not; ``wrong_answer`` those without a row."""
    counts = Counter(row.kind for row in decided.rows)
    wrong = sum(out.kind == "wrong_answer" for out in decided.left_out)
    return {
        "accept": counts["accept"], "correct": counts["correct"], "negative": counts["negative"] + wrong,
        "wrong_answer": wrong, "left_out": len(decided.left_out),
        "train": sum(row.split == "train" for row in decided.rows),
        "validation": sum(row.split == "validation" for row in decided.rows),
        "test": sum(row.split == "test" for row in decided.rows),
    }  # fmt: skip


def preview(project: Project, *, kind: str = "", page: int = 1, page_size: int = 25) -> Preview:
    """One page of the exact rows a dataset frozen now would hold (``kind``: a kind, a split, ``left_out`` or "" for all)."""
    decided = decide_labels(project)
    counts = count_kinds(decided)
    if kind == "left_out":
        left_out, pages, page = _page_of(decided.left_out, page, page_size)
        return Preview(counts, (), tuple(left_out), page, pages, len(decided.left_out))
    matching = [row for row in decided.rows if kind in ("", row.kind, row.split)]
    rows, pages, page = _page_of(matching, page, page_size)
    texts = load_texts(rows)
    task = get_task(project.task)
    return Preview(counts, tuple(_preview_row(row, texts, task) for row in rows), (), page, pages, len(matching))


def _page_of(rows: Sequence[Any], page: int, page_size: int) -> tuple[list[Any], int, int]:
    pages = max(1, -(-len(rows) // page_size))
    page = min(max(page, 1), pages)
    return list(rows[(page - 1) * page_size : page * page_size]), pages, page


def _preview_row(row: Row, texts: Texts, task: Task) -> PreviewRow:
    example = to_example(row, texts)
    return PreviewRow(
        row, texts.passages.get(passage_of(row, texts) or 0, ""), task.format(example.text, example.passage),
        task.format_target(example.target), example.target.start is not None or not row.answerable,
    )  # fmt: skip


def get_dataset(project_id: int, dataset_id: int) -> Dataset | None:
    return db.session.scalar(select(Dataset).where(Dataset.project_id == project_id, Dataset.id == dataset_id))


def list_datasets(project_id: int) -> list[Dataset]:
    return list(
        db.session.scalars(
            select(Dataset).where(Dataset.project_id == project_id).order_by(Dataset.id.desc()).limit(50)
        )
    )


@dataclass(frozen=True)
class Frozen:
    """The labels a dataset was made of, one page of them, and the iterations that used it."""

    links: tuple[tuple[DatasetLabel, str, str, bool], ...]  # link, question, verdict, superseded since
    iterations: tuple[int, ...]
    page: int
    pages: int
    total: int


def describe_frozen(dataset: Dataset, *, page: int = 1, page_size: int = 50) -> Frozen:
    newer = aliased(Label)
    where = DatasetLabel.dataset_id == dataset.id
    total = db.session.scalar(select(func.count()).select_from(DatasetLabel).where(where)) or 0
    pages = max(1, -(-total // page_size))
    page = min(max(page, 1), pages)
    statement = (
        select(DatasetLabel, Question.text, func.coalesce(Label.reject_reason, Label.verdict), newer.id.is_not(None))
        .join(Label, Label.id == DatasetLabel.label_id).join(Question, Question.id == Label.question_id)
        .outerjoin(newer, newer.supersedes_id == Label.id)
        .where(where).order_by(DatasetLabel.label_id).limit(page_size).offset((page - 1) * page_size)
    )  # fmt: skip
    numbers = db.session.scalars(
        select(Iteration.number).where(Iteration.dataset_id == dataset.id).order_by(Iteration.number)
    )
    return Frozen(
        tuple((link, text, decision, bool(changed)) for link, text, decision, changed in db.session.execute(statement)),
        tuple(numbers),
        page,
        pages,
        total,
    )
