"""How often people's labels agree with the model's answer: when they saw it, and when they did not.

The same rule for both: a label with words agrees when it shares at least half of them with the model's answer (F1 of 0.5 or more), a label
that says the passages do not have it agrees when the model said so too, and a rejected answer does not agree. Questions are blind
by chance, so the difference is what seeing the answer does. Intervals: Wilson's for a share, Newcombe's for their difference.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from training.metrics import token_f1
from webapp.models import SUPERSEDED, Answer, Label, Project, Question

FEWEST = 20
NEWEST = 2_000  # of each kind; what people do changes, and the page stays quick
SHARED_WORDS = 0.5
_Z = 1.959964  # 95 %


@dataclass(frozen=True)
class Share:
    agreed: int
    n: int

    @property
    def rate(self) -> float:
        return self.agreed / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson, 1927; the whole range when there is nothing to tell from."""
        if not self.n:
            return 0.0, 1.0
        middle = self.rate + _Z**2 / (2 * self.n)
        reach = _Z * math.sqrt(self.rate * (1 - self.rate) / self.n + _Z**2 / (4 * self.n**2))
        return max(0.0, (middle - reach) / (1 + _Z**2 / self.n)), min(1.0, (middle + reach) / (1 + _Z**2 / self.n))


@dataclass(frozen=True)
class Agreement:
    seen: Share
    blind: Share

    @property
    def is_enough(self) -> bool:
        return min(self.seen.n, self.blind.n) >= FEWEST

    @property
    def difference(self) -> tuple[float, float, float]:
        """How much more people agree when they see the answer, with its interval (Newcombe, 1998, method 10)."""
        gap = self.seen.rate - self.blind.rate
        (seen_low, seen_high), (blind_low, blind_high) = self.seen.interval, self.blind.interval
        below = math.hypot(self.seen.rate - seen_low, blind_high - self.blind.rate)
        above = math.hypot(seen_high - self.seen.rate, self.blind.rate - blind_low)
        return gap, gap - below, gap + above

    @property
    def sentence(self) -> str:
        if not self.blind.n and not self.seen.n:
            return ""
        if not self.is_enough:
            return (
                "How much the model's answer leads people cannot be told yet: that takes at least "
                f"{FEWEST} labels made with it in sight ({self.seen.n} so far) and {FEWEST} without ({self.blind.n} so far)."
            )
        gap, low, high = self.difference
        return (
            f"People agree with the model on {_percent(self.seen)} when they see its answer, {_percent(self.blind)} when they do "
            f"not: {100 * gap:+.0f} points (95 % interval {100 * low:+.0f} to {100 * high:+.0f}). {_meaning(low, high)}"
        )


def measure(session: Session, project: Project) -> Agreement:
    """Over the newest current labels on answers; skips and typed questions, which are never blind, are left out."""
    return Agreement(seen=_share(session, project, blind=False), blind=_share(session, project, blind=True))


def agrees(verdict: str, reject_reason: str | None, text: str, *, said: str, is_answered: bool) -> bool:
    if verdict == "accept":
        return True
    if verdict == "correct":
        return is_answered and token_f1(said, text) >= SHARED_WORDS
    return reject_reason != "wrong_answer" and not is_answered


def _share(session: Session, project: Project, *, blind: bool) -> Share:
    query = (
        select(Label.verdict, Label.reject_reason, Label.text, Answer.text, Answer.answerable)
        .join(Answer, Answer.id == Label.answer_id).join(Question, Question.id == Label.question_id)
        .where(
            Label.project_id == project.id, Label.is_blind == blind, Label.verdict.not_in(("skip", "undo")), ~SUPERSEDED,
            Question.source != "typed",
        )
        .order_by(Label.id.desc()).limit(NEWEST)
    )  # fmt: skip
    return _count(
        agrees(verdict, reason, text, said=said, is_answered=answerable)
        for verdict, reason, text, said, answerable in session.execute(query)
    )


def _count(found: Iterable[bool]) -> Share:
    all_found = list(found)
    return Share(sum(all_found), len(all_found))


def _percent(share: Share) -> str:
    return f"{100 * share.rate:.0f} % ({share.agreed} of {share.n})"


def _meaning(low: float, high: float) -> str:
    if low > 0:
        return "Seeing the answer leads people to agree."
    if high < 0:
        return "Seeing the answer makes people disagree more."
    return "Whether seeing the answer leads people cannot be told from this."
