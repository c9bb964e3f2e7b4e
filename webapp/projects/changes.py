"""What the last iteration changed because of whom, read from the effects it stored."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import Iteration, Label, LabelEffect, Person, Project, Question, Release
from webapp.rightness import describe_rank, is_right

SHOWN = 3  # questions of each kind and person; the rest are counted


@dataclass(frozen=True)
class Changed:
    label: int
    question: str
    before: str
    after: str
    ranks: str


@dataclass(frozen=True)
class Share:
    """One person's labelled questions: those that became right, those that no longer are, and how many there are in all."""

    person: str
    right: tuple[Changed, ...]
    wrong: tuple[Changed, ...]
    total: int


@dataclass(frozen=True)
class Changes:
    """``release`` is None when the candidate is not in service: then it tells what would change, or changed while it was."""

    iteration: int
    release: int | None
    was_in_service: bool
    shares: tuple[Share, ...]

    @property
    def right(self) -> int:
        return sum(len(share.right) for share in self.shares)

    @property
    def wrong(self) -> int:
        return sum(len(share.wrong) for share in self.shares)


def last_changes(session: Session, project: Project) -> Changes | None:
    """Of the newest iteration that stored effects; None when none did."""
    stored = select(LabelEffect.label_id).where(LabelEffect.iteration_id == Iteration.id).exists()
    newest = select(Iteration).where(Iteration.project_id == project.id, stored).order_by(Iteration.number.desc())
    iteration = session.scalar(newest.limit(1))
    if iteration is None:
        return None
    rows = session.execute(
        select(LabelEffect, Question.text, Person.name).join(Label, Label.id == LabelEffect.label_id)
        .join(Question, Question.id == Label.question_id).join(Person, Person.id == Label.person_id)
        .where(LabelEffect.iteration_id == iteration.id).order_by(LabelEffect.label_id.desc())
    ).all()  # fmt: skip
    by_person: dict[str, list[tuple[LabelEffect, str]]] = {}
    for effect, question, name in rows:
        by_person.setdefault(name, []).append((effect, question))
    shares = [_share(name, found) for name, found in by_person.items()]
    shares.sort(key=lambda share: (-len(share.right), len(share.wrong), share.person))
    return Changes(
        iteration.number, _release_in_service(session, iteration), _was_in_service(session, iteration), tuple(shares)
    )


def _release_in_service(session: Session, iteration: Iteration) -> int | None:
    """Also when a later release only gave its answerer another index."""
    mine = select(Release.answerer_sha256).where(Release.iteration_id == iteration.id)
    statement = select(Release.number).where(
        Release.project_id == iteration.project_id, Release.state == "champion", Release.answerer_sha256.in_(mine)
    )
    return session.scalar(statement)


def _was_in_service(session: Session, iteration: Iteration) -> bool:
    promoted = select(Release.id).where(Release.iteration_id == iteration.id, Release.promoted_at.is_not(None))
    return session.scalar(promoted.limit(1)) is not None


def _share(name: str, found: list[tuple[LabelEffect, str]]) -> Share:
    right = [_changed(*one) for one in found if not is_right(one[0].before_f1) and is_right(one[0].after_f1)]
    wrong = [_changed(*one) for one in found if is_right(one[0].before_f1) and not is_right(one[0].after_f1)]
    return Share(name, tuple(right), tuple(wrong), len(found))


def _changed(effect: LabelEffect, question: str) -> Changed:
    return Changed(
        effect.label_id, question, effect.before_text, effect.after_text, describe_rank(effect.before_rank, effect.after_rank)
    )  # fmt: skip
