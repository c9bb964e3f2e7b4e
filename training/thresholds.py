"""Which answerable threshold to serve with, as arithmetic on scores: from where on an answer is shown instead of "not answerable"."""

import math
from collections.abc import Sequence

from training import metrics

RECOGNISED = 0.75
"""The share of the unanswerable that is to be recognised at the least."""
MARGIN = 0.05
"""What an iteration asks for beyond that on its validation questions: a threshold chosen on them recognises a little less elsewhere. Where more
was recognised before, as much is asked for and no more: more would be bought with answers."""
MOST_ASKED = 0.95
MOST_F1_LOST = 0.02
NOISE = 1.5
"""Questions by which two thresholds may differ by luck."""

Row = tuple[float, bool, float]
"""A question's answerable score, whether it has an answer, and the F1 of its answer, if that is shown."""


def share_to_recognise(*, refused: Sequence[bool], answered: Sequence[bool]) -> float:
    """The share of the unanswerable that the threshold of a model that learned must recognise: three quarters and :data:`MARGIN`, or as many as
    it ``refused`` before. A model that ``answered`` less than a quarter of what has an answer recognised nothing."""
    knew = bool(refused) and bool(answered) and sum(answered) >= len(answered) / 4
    recognised = sum(refused) / len(refused) if knew else 0.0
    return min(max(RECOGNISED + MARGIN, recognised), MOST_ASKED)


def choose(rows: Sequence[Row], *, near: float | None, share: float) -> float:
    """The threshold of highest overall F1 among those that recognise a ``share`` of the unanswerable and lose at most 2 points of answerable
    F1 against the best such one. ``rows`` hold questions of both kinds.

    With ``near``, the threshold closest to it among those at most :data:`NOISE` questions worse than the best: thirty validation
    questions say little, and a threshold that follows their noise has a model refuse what it knows.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    count = sum(has_answer for _, has_answer, _ in ordered)
    others = len(ordered) - count
    # Of thirty questions one alone is worth more than the two points, and more than the share asks for.
    needed = share if near is None else math.floor(share * others + 1e-9) / others
    most_lost = MOST_F1_LOST if near is None else max(MOST_F1_LOST, NOISE / count)
    enough = [c for c in _candidates(ordered) if c[2] >= needed]
    best_f1 = max(f1 for _, f1, _ in enough)
    right = {c: c[1] * count + c[2] * others for c in enough if c[1] >= best_f1 - most_lost}
    best = max(right, key=right.__getitem__)
    if near is None:
        return best[0]
    return min((c for c in right if right[c] >= right[best] - NOISE), key=lambda c: abs(c[0] - near))[0]


def _candidates(rows: Sequence[Row]) -> list[tuple[float, float, float]]:
    """(threshold, answerable F1, unanswerable recognised) between every two neighbouring scores, one sweep upwards."""
    count = sum(positive for _, positive, _ in rows)
    f1 = sum(worth for _, positive, worth in rows if positive)
    refused = 0
    candidates = [(0.0, f1 / count, 0.0)]
    for i, (value, positive, worth) in enumerate(rows):
        f1 -= worth if positive else 0.0
        refused += not positive
        following = rows[i + 1][0] if i + 1 < len(rows) else max(1.0, metrics.above(value))
        if following > value:
            # Halfway to the next score keeps the decision stable under rounding.
            middle = (value + following) / 2
            threshold = middle if value < middle <= following else following
            candidates.append((max(threshold, 0.0), f1 / count, refused / (len(rows) - count)))
    return candidates
