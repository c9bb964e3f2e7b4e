"""What a wrong answer is put down to: the first stage that failed. Pure.

A label judges two things, the answer and the passage. Where the passage was judged wrong, or a passage is known to be right and
was not among those the project shows, retrieval missed: nobody would have been shown a right answer, whatever the model made of a
passage that the test question brought along. Where there is no answer to give, the model should have abstained. Otherwise it had what
it needed: it refused (should have answered) or misread (reading missed).
"""

from dataclasses import dataclass

from webapp.rightness import is_right

BLAMES = {
    "retrieval_missed": "Retrieval missed",
    "reading_missed": "Reading missed",
    "should_have_abstained": "Should have abstained",
    "should_have_answered": "Should have answered",
}


@dataclass(frozen=True)
class Outcome:
    """One test question under one model. ``rank`` counts only where a right passage is known; None: not found."""

    score: float
    is_refused: bool
    is_answerable: bool
    is_passage_wrong: bool  # the label behind it says "wrong passage"
    is_rank_known: bool
    rank: int | None
    shown: int  # passages the project shows


def blame(outcome: Outcome) -> str:
    """One of :data:`BLAMES`; "" for a right answer."""
    if is_right(outcome.score):
        return ""
    if outcome.is_passage_wrong:
        return "retrieval_missed"
    if not outcome.is_answerable:
        return "should_have_abstained"
    if outcome.is_rank_known and (outcome.rank is None or outcome.rank > outcome.shown):
        return "retrieval_missed"
    return "should_have_answered" if outcome.is_refused else "reading_missed"
