"""Whether an iteration can start, and when the next one starts by itself: one line that shows every condition."""

from dataclasses import dataclass

from sqlalchemy import func, select

from training.tasks import get_task
from webapp.label import service as label_service
from webapp.label.changes import changed_labels
from webapp.label.importing import RELEASE_REASON
from webapp.models import Answer, Iteration, Label, Project, Release, db
from webapp.projects import settings as project_settings

AT_LEAST = 8  # usable labels; fewer move a model by chance only


@dataclass(frozen=True)
class Tally:
    """Current labels by what they can teach."""

    accepts: int
    corrections: int
    abstentions: int  # unanswerable and wrong passage, where the project learns them
    judging: int  # the same where they only judge
    wrong_answers: int  # without a correction: nothing to learn from yet
    skips: int
    learns_abstentions: bool

    @property
    def usable(self) -> int:
        return self.accepts + self.corrections + self.abstentions

    @property
    def teaching(self) -> str:
        """The decisions that teach something here."""
        return (
            "accepted, corrected, unanswerable or wrong passage" if self.learns_abstentions else "accepted or corrected"
        )

    @property
    def missing(self) -> int:
        return max(0, AT_LEAST - self.usable)


@dataclass(frozen=True)
class Readiness:
    changed: int  # since the labels the champion learned from
    changed_since_last: int  # since the labels of the last iteration, promoted or not
    train_after: int
    problem: str  # why it cannot start now; "" when it can
    teaching: str  # the decisions that teach something
    missing: int  # labels that teach something, of the least number, still to come
    can_practise: bool  # there is too little to learn from yet, but a corpus

    @property
    def line(self) -> str:
        if self.train_after == 0:
            return f"{self.changed} new or changed labels since the model in service was trained; iterations never start by themselves here."
        sentence = f"{self.changed_since_last} of {self.train_after} new or changed labels; the next iteration starts by itself at {self.train_after}."
        if self.changed_since_last < self.changed:
            sentence += f" ({self.changed} since the model in service was trained; the model of the last iteration with them is not in service.)"
        return sentence


def tally_labels(project: Project) -> Tally:
    statement = (
        label_service.current_labels(project.id).order_by(None)
        .with_only_columns(Label.verdict, Label.reject_reason, func.count()).group_by(Label.verdict, Label.reject_reason)
    )  # fmt: skip
    counts = {reason or verdict: count for verdict, reason, count in db.session.execute(statement)}
    learns = project_settings.read(project).abstention == "on"
    abstentions = counts.get("unanswerable", 0) + counts.get("wrong_passage", 0)
    return Tally(
        counts.get("accept", 0), counts.get("correct", 0), abstentions if learns else 0, 0 if learns else abstentions,
        counts.get("wrong_answer", 0), counts.get("skip", 0), learns_abstentions=learns,
    )  # fmt: skip


def find_problem(project: Project) -> str:
    """One sentence on why an iteration cannot start, and what to do; "" when it can."""
    return _no_model(project) or _nothing_to_learn(project)


def find_practice_problem(project: Project) -> str:
    """Why practice on the corpus alone cannot start: with labels enough for an iteration it would leave them unused."""
    if not get_task(project.task).USES_PASSAGES:
        return "This task has no corpus to practise on; label some questions and start an iteration."
    if _no_model(project):
        return _no_model(project)
    if not _nothing_to_learn(project):
        return (
            "There are labels enough to learn from, so practice alone would leave them unused; start an iteration, with the project's "
            "setting warm_up on if it shall practise first."
        )
    return ""


def _no_model(project: Project) -> str:
    if project.champion_id is None and get_task(project.task).USES_PASSAGES:
        return f'There is no model in service to compare with yet; add documents and build the index first (`errata index "{project.name}"`).'
    return ""


def _nothing_to_learn(project: Project) -> str:
    tally = tally_labels(project)
    if tally.usable < AT_LEAST:
        return _too_few(tally)
    if not tally.corrections and not tally.abstentions and not _has_foreign_answers(project.id):
        return (
            f"All {tally.accepts} usable labels accept the model's own answer, so there is nothing to learn beyond what it says "
            "already; correct or reject some answers first."
        )
    if not tally.accepts and not tally.corrections:
        return (
            f"All {tally.abstentions} usable labels say that there is no answer; a model that learns from these alone would refuse "
            "every question. Accept or correct some answers first."
        )
    return ""


def _has_foreign_answers(project_id: int) -> bool:
    """Whether some labels came with answers that no model of this project gave: accepting those does teach something."""
    statement = (
        label_service.current_labels(project_id).order_by(None).join(Answer, Answer.id == Label.answer_id)
        .join(Release, Release.id == Answer.release_id).where(Release.reason == RELEASE_REASON)
        .with_only_columns(Label.id).limit(1)
    )  # fmt: skip
    return db.session.scalar(statement) is not None


def _too_few(tally: Tally) -> str:
    aside = [
        f"{count} {what.format('' if count == 1 else 's')}" for count, what in
        (
            (tally.wrong_answers, "wrong answer{} without a correction"), (tally.skips, "skip{}"),
            (tally.judging, "unanswerable or wrong passage, which only judge here"),
        ) if count
    ]  # fmt: skip
    not_counted = f" ({' and '.join(aside)} not counted)" if aside else ""
    return (
        f"An iteration needs at least {AT_LEAST} labels that teach something: {tally.teaching}; "
        f"there are {tally.usable}{not_counted}. Label {tally.missing} more on the annotate page."
    )


def assess(project: Project) -> Readiness:
    settings = project_settings.read(project)
    changed, since_last = count_changes(project)
    problem = find_problem(project)
    can_practise = bool(problem) and not find_practice_problem(project)
    tally = tally_labels(project)
    return Readiness(changed, since_last, settings.train_after, problem, tally.teaching, tally.missing, can_practise)


def count_changes(project: Project, *, at_most: int | None = None) -> tuple[int, int]:
    """Changed labels since the champion's training set, and since the last iteration's."""
    changed = changed_labels(db.session(), project.id, _newest_label(_champion_iteration(project)), at_most=at_most)
    return changed, changed_since_last(project.id, at_most=at_most)


def changed_since_last(project_id: int, *, at_most: int | None = None) -> int:
    last = select(Iteration.config).where(Iteration.project_id == project_id).order_by(Iteration.number.desc())
    config = db.session.scalar(last.limit(1)) or {}
    return changed_labels(db.session(), project_id, int(config.get("newest_label", 0)), at_most=at_most)


def _newest_label(iteration: Iteration | None) -> int:
    return int(iteration.config.get("newest_label", 0)) if iteration is not None else 0


def _champion_iteration(project: Project) -> Iteration | None:
    """The iteration that made the answerer in service, also when a later release only gave it a new index."""
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    if champion is None:
        return None
    statement = (
        select(Iteration).join(Release, Release.iteration_id == Iteration.id)
        .where(Release.project_id == project.id, Release.answerer_sha256 == champion.answerer_sha256)
        .order_by(Iteration.number.desc()).limit(1)
    )  # fmt: skip
    return db.session.scalar(statement)


def newest_label(project_id: int) -> int:
    return db.session.scalar(select(func.max(Label.id)).where(Label.project_id == project_id)) or 0
