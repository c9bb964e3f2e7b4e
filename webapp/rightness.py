"""When an answer counts as right: one rule for blame, effects and the pages that tell of them."""

RIGHT_AT = 0.9  # F1 against the right answers; the same bar at which gold data accepts an answer in a replay


def is_right(score: float) -> bool:
    return score >= RIGHT_AT


def word_for(score: float) -> str:
    """``right``, ``partly right`` or ``wrong``."""
    return "right" if is_right(score) else "partly right" if score > 0 else "wrong"


def describe_answer(before: float, after: float) -> str:
    """``answer wrong → right``, or how it is as before."""
    old, new = word_for(before), word_for(after)
    return f"answer {old} → {new}" if old != new else f"answer {new} as before"


def describe_rank(before: int | None, after: int | None) -> str:
    """``right passage 4 → 1``; "" when neither found the right passage, or none is known."""
    if before is None and after is None:
        return ""
    old, new = (str(rank) if rank is not None else "not found" for rank in (before, after))
    return f"right passage {old} → {new}" if old != new else f"right passage {new} as before"
