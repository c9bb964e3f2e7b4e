"""When an answer counts as right: one rule for blame, effects and the pages that tell of them."""

RIGHT_AT = 0.9  # F1 against the right answers; the same bar at which gold data accepts an answer in a replay


def is_right(score: float) -> bool:
    return score >= RIGHT_AT


def word_for(score: float) -> str:
    """``right``, ``partly right`` or ``wrong``."""
    return "right" if is_right(score) else "partly right" if score > 0 else "wrong"
