"""Which figures the gate watches: the test questions by split, by kind and by retrieval. Pure.

A slice is a name and a rule over test questions. Rules of the project's own (signals) belong in :func:`slices_of`, beside these:
whatever names it gives a question, each name is watched on the fixed questions and compared with the champions of the past.
"""

from collections.abc import Mapping, Sequence

from webapp.iterations.asked import Asked
from webapp.iterations.gate import Refused
from webapp.iterations.history import Past
from webapp.iterations.reading import Side
from webapp.iterations.watched import SLICE_AT_LEAST, Watched

KINDS = {
    "accept": "questions with an accepted answer", "correct": "questions with a corrected answer",
    "unanswerable": "questions judged unanswerable", "wrong_passage": "questions with a rejected passage",
    "gold": "imported questions",
}  # fmt: skip


def slices_of(asked: Asked) -> tuple[str, ...]:
    """The slices a test question belongs to, by the names a sentence uses."""
    whole = ("answerable questions" if asked.row.gold.answerable else "questions without an answer",)
    return (*whole, KINDS[asked.decision]) if asked.decision in KINDS else whole


def watch(
    asked: Sequence[Asked],
    old: Side,
    new: Side,
    *,
    metric: str,
    name: str,
    retrieval: Mapping[str, str],
    past: Sequence[Past],
) -> tuple[Watched, ...]:
    before, after = [each[metric] for each in old.each], [each[metric] for each in new.each]
    found = [
        _on(places, before, after, f"{name} on {what}", kind="guard", split="all")
        for what, places in _whole(asked).items()
    ]
    found += [
        _on(places, before, after, f"{name} on {what}", split=split)
        for split, what in (("fixed", "the fixed test questions"), ("rolling", "questions labelled since the model in service was made"))
        if (places := [place for place, one in enumerate(asked) if one.split == split]) and len(places) < len(asked)
    ]  # fmt: skip
    found += [_on(places, before, after, f"{name} on {what}") for what, places in _slices(asked).items()]
    found += _against_the_best(asked, after, name, past)
    for key, what in retrieval.items():
        pairs = [(a[key], b[key]) for a, b in zip(old.each, new.each, strict=True) if key in a and key in b]
        found.append(Watched(what, [a for a, _ in pairs], [b for _, b in pairs], kind="retrieval", split="all"))
    return tuple(found)


def _whole(asked: Sequence[Asked]) -> dict[str, list[int]]:
    """Answerable and not, over all splits: what the guards are made of."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(asked):
        places.setdefault(slices_of(one)[0], []).append(place)
    return places


def _slices(asked: Sequence[Asked]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, one in enumerate(asked):
        for name in slices_of(one) if one.split == "fixed" else ():
            places.setdefault(name, []).append(place)
    return places


def _on(
    places: Sequence[int],
    before: Sequence[float],
    after: Sequence[float],
    name: str,
    *,
    kind: str = "slice",
    split: str = "fixed",
) -> Watched:
    return Watched(
        name, [before[place] for place in places], [after[place] for place in places], kind=kind, split=split
    )


def _against_the_best(asked: Sequence[Asked], after: Sequence[float], name: str, past: Sequence[Past]) -> list[Watched]:
    """Each slice against the champion of the past that was best on it, over the questions that have the same right answers since."""
    found = []
    for what, places in _slices(asked).items():
        best: Watched | None = None
        for one in past:
            common = [place for place in places if _same(asked[place], one)]
            if len(common) < SLICE_AT_LEAST:
                continue
            values = [one.scores[asked[place].row.question or 0][1] for place in common]
            rival = Watched(
                f"{name} on {what}", values, [after[place] for place in common], kind="best", against=one.name
            )
            if best is None or _mean(rival.before) > _mean(best.before):
                best = rival
        if best is not None:
            found.append(best)
    return found


def _same(asked: Asked, past: Past) -> bool:
    known = past.scores.get(asked.row.question or 0)
    return known is not None and known[0] == asked.row.gold.answers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def refused(asked: Sequence[Asked], old: Side, new: Side, metric: str) -> Refused | None:
    """How many of the answerable questions each refuses, and whether the candidate answers more of them right all the same."""
    places = [place for place, one in enumerate(asked) if one.row.gold.answerable]
    if not places:
        return None
    before, after = (_mean([float(not side.predictions[place].text) for place in places]) for side in (old, new))
    gain = _mean([new.each[place][metric] - old.each[place][metric] for place in places])
    return Refused(before, after, len(places), gain > 0)
