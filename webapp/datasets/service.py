"""Labels → examples, the dataset page's figures, and freezing. Every query over labels for learning is here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from training.artefact import verify
from training.tasks import get_task
from training.types import Example, Preference
from webapp import home
from webapp.datasets import files
from webapp.datasets.decisions import Decided, Judged, LeftOut, Lookup, Row, decide
from webapp.datasets.examples import Evaluation, Texts, to_evaluations, to_example, to_preference
from webapp.datasets.files import SPLITS
from webapp.datasets.triples import Found, Triple, to_triple
from webapp.label import service as label_service
from webapp.models import (
    Answer,
    AnswerPassage,
    Dataset,
    Document,
    Label,
    Passage,
    Project,
    Question,
    db,
)  # fmt: skip

_CHUNK = 500


@dataclass(frozen=True)
class Use:
    """One kind of row that a label gave, and the split it is in."""

    label: int
    split: str
    kind: str


@dataclass(frozen=True)
class Built:
    """Everything the labels give, before rehearsal rows are mixed in. ``preferences`` and ``rejects`` come with their splits."""

    decided: Decided
    train: tuple[Example, ...]
    validation: tuple[Evaluation, ...]
    test: tuple[Evaluation, ...]
    preferences: tuple[tuple[str, Preference], ...]
    rejects: tuple[tuple[str, Example], ...]
    triples: tuple[Found, ...]
    left_out: tuple[LeftOut, ...]

    def uses(self) -> tuple[Use, ...]:
        return uses_of(self.decided, self.triples)


def uses_of(decided: Decided, triples: Iterable[Found]) -> tuple[Use, ...]:
    rows = (*decided.rows, *decided.preferences, *decided.rejects)
    return (
        *(Use(row.label, row.split, row.kind) for row in rows),
        *(Use(label, found.triple.split, "triple") for found in triples for label in found.labels),
    )


def judged_labels(project_id: int) -> list[Judged]:
    """Every current label with what decides its row; no passage texts, so that 50,000 labels stay small."""
    first, second = aliased(AnswerPassage), aliased(AnswerPassage)
    statement = (
        label_service.current_labels(project_id)
        .join(Question, Question.id == Label.question_id)
        .outerjoin(Answer, Answer.id == Label.answer_id)
        .outerjoin(first, (first.answer_id == Label.answer_id) & (first.rank == 1))
        .outerjoin(second, (second.answer_id == Label.answer_id) & (second.rank == 2))
        .with_only_columns(
            Label.id, Label.question_id, Question.text, Label.verdict, Label.reject_reason, Label.text,
            Label.passage_id, Label.start, Label.answer_id, Answer.passage_id, first.passage_id, Label.weight,
            func.coalesce(Answer.text, ""), Label.is_blind, second.passage_id,
            maintain_column_froms=True,
        )
        .order_by(None)
        .order_by(Label.id)
    )  # fmt: skip
    return [Judged(*tuple(row)) for row in db.session.execute(statement).all()]


def decide_labels(project: Project) -> Decided:
    return decide(judged_labels(project.id), uses_passages=get_task(project.task).USES_PASSAGES)


def load_texts(rows: Sequence[Row], lookups: Sequence[Lookup] = ()) -> Texts:
    answers = {row.answer for row in rows if row.answer is not None}
    shown = _shown_passages(answers.union(*(lookup.shown for lookup in lookups)))
    wanted = {row.passage for row in rows if row.passage is not None}
    named = {passage for lookup in lookups for _, passage in (*lookup.chosen, *lookup.ruled_out)}
    texts, deleted = _passage_texts(wanted.union(named, *shown.values()))
    return Texts(texts, shown, deleted)


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


def _passage_texts(ids: Iterable[int]) -> tuple[dict[int, str], frozenset[int]]:
    """Texts by id, and which of them are no longer part of the corpus."""
    texts: dict[int, str] = {}
    deleted: set[int] = set()
    for chunk in _chunks(ids):
        statement = select(Passage.id, Passage.text, Document.deleted_at.is_not(None)).join(Document)
        for passage, text, is_deleted in db.session.execute(statement.where(Passage.id.in_(chunk))):
            texts[passage] = text
            if is_deleted:
                deleted.add(passage)
    return texts, frozenset(deleted)


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(ids)
    return (ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK))


def build_examples(project: Project) -> Built:
    """All labels of the project as examples and evaluation rows. The one place where a label becomes something to learn."""
    decided = decide_labels(project)
    rows = (*decided.rows, *decided.preferences, *decided.rejects)
    texts = load_texts(rows, decided.lookups)
    triples, left_out = contrast(decided, texts)
    by_split: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for row in decided.rows:
        by_split[row.split].append(row)
    return Built(
        decided,
        tuple(to_example(row, texts) for row in by_split["train"]),
        tuple(to_evaluations(by_split["validation"], texts)),
        tuple(to_evaluations(by_split["test"], texts)),
        tuple((row.split, to_preference(row, texts)) for row in decided.preferences),
        tuple((row.split, to_example(row, texts)) for row in decided.rejects),
        triples,
        left_out,
    )


def contrast(decided: Decided, texts: Texts) -> tuple[tuple[Found, ...], tuple[LeftOut, ...]]:
    """The retriever's rows, and every label that gives nothing, or less than it could, with the reason."""
    results = [to_triple(lookup, texts) for lookup in decided.lookups]
    triples = tuple(result for result in results if isinstance(result, Found))
    useful = {label for found in triples for label in found.labels}
    # A wrong answer that was shown as "not answerable" may still have told the right passage.
    silent = tuple(out for out in decided.left_out if out.kind != "wrong_answer" or out.label not in useful)
    return triples, silent + tuple(result for result in results if isinstance(result, LeftOut))


def count_kinds(decided: Decided, triples: Sequence[Found], left_out: Sequence[LeftOut]) -> dict[str, int]:
    """``negative`` counts every decision that rules something out; ``wrong_answer`` those of them that teach nothing."""
    counts = Counter(row.kind for row in (*decided.rows, *decided.preferences, *decided.rejects))
    wrong = sum(out.kind == "wrong_answer" for out in left_out)
    return {
        "accept": counts["accept"], "correct": counts["correct"], "negative": counts["negative"] + counts["reject"] + wrong,
        "not_answerable": counts["negative"], "reject": counts["reject"], "preference": counts["preference"], "triple": len(triples),
        "wrong_answer": wrong, "left_out": len(left_out),
        **{split: sum(row.split == split for row in decided.rows) for split in SPLITS},
    }  # fmt: skip


def read_triples(dataset: Dataset) -> dict[str, list[Triple]]:
    """The retriever's rows by split. Raises :class:`training.artefact.DamagedArtefact` when the files are not what was frozen."""
    folder = home.absolute(dataset.path)
    verify(folder, kind="dataset")
    return files.read_triples(folder)


def get_dataset(project_id: int, dataset_id: int) -> Dataset | None:
    return db.session.scalar(select(Dataset).where(Dataset.project_id == project_id, Dataset.id == dataset_id))


def list_datasets(project_id: int) -> list[Dataset]:
    return list(
        db.session.scalars(
            select(Dataset).where(Dataset.project_id == project_id).order_by(Dataset.id.desc()).limit(50)
        )
    )
