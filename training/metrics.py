"""Question-answering metrics as pure functions, all fractions from 0 to 1.

Normalisation, exact match and F1 are those of the official SQuAD 2.0 evaluation (Rajpurkar et al. 2018); ROUGE-L is Lin 2004.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and extra spaces, in the official script's order."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(answer: str, gold: str) -> float:
    return float(normalise_answer(answer) == normalise_answer(gold))


def token_f1(answer: str, gold: str) -> float:
    """Harmonic mean of word precision and recall; where either side has no words, whether both have none."""
    said, wanted = normalise_answer(answer).split(), normalise_answer(gold).split()
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))


def rouge_l(answer: str, gold: str) -> float:
    """F-measure of the longest common subsequence of normalised words."""
    said, wanted = normalise_answer(answer).split(), normalise_answer(gold).split()
    if not said or not wanted:
        return float(said == wanted)
    previous = [0] * (len(wanted) + 1)
    for word in said:
        current = [0]
        for i, other in enumerate(wanted):
            current.append(previous[i] + 1 if word == other else max(previous[i + 1], current[i]))
        previous = current
    return 2 * previous[-1] / (len(said) + len(wanted))


def best_against(metric: object, answer: str, golds: Sequence[str]) -> float:
    """The highest ``metric(answer, gold)``; a question without acceptable answers has the one gold ""."""
    if not callable(metric):
        raise TypeError("expected a function of (answer, gold)")
    return max(float(metric(answer, gold)) for gold in (accepted(golds) or [""]))


def accepted(golds: Sequence[str]) -> list[str]:
    """The gold answers with any words left after normalisation, as the official script keeps them."""
    return [gold for gold in golds if normalise_answer(gold)]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def auroc(scores: Sequence[float], positives: Sequence[bool]) -> float | None:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney); None with one class only."""
    count = sum(positives)
    if count == 0 or count == len(positives):
        return None
    ranks = _mid_ranks(scores)
    above = sum(rank for rank, positive in zip(ranks, positives, strict=True) if positive)
    return (above - count * (count + 1) / 2) / (count * (len(positives) - count))


def _mid_ranks(scores: Sequence[float]) -> list[float]:
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    ranks = [0.0] * len(scores)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and scores[order[last + 1]] == scores[order[first]]:
            last += 1
        for place in range(first, last + 1):
            ranks[order[place]] = (first + last) / 2 + 1
        first = last + 1
    return ranks


def threshold_at(negatives: Sequence[float], share: float) -> float:
    """The lowest threshold under which at least ``share`` of the unanswerable questions' scores lie."""
    ordered = sorted(negatives)
    needed = -(-len(ordered) * share // 1)
    highest = ordered[int(needed) - 1]
    return above(highest)


def above(score: float) -> float:
    """The next number after ``score``: a threshold that refuses it and nothing higher."""
    import math

    return math.nextafter(score, math.inf)
