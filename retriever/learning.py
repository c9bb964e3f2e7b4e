"""Whether labels make the retriever better, and how: every option is cross-validated on the labelled questions, "nothing" too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from retriever.adapter import Adapter, AdapterConfig, find_collapse
from retriever.encoder_trial import ENCODER, Measured, Tuning, train_encoder, try_encoder
from retriever.index import HybridIndex
from retriever.school import Option, School, Taught
from retriever.types import Report, RetrieverError

AT_LEAST = 20  # taught questions; a fifth of fewer would say nothing
AT_MOST = 1000  # the newest; the loss compares each with every passage named
BY_CHANCE = 0.05  # how often, of comparisons in which no option is better than nothing, one may still be taken

NOTHING = Option("nothing")
OPTIONS = (
    NOTHING,
    Option("words count half", words_weight=0.5),
    Option("words count twice", words_weight=2.0),
    Option("an adapter", config=AdapterConfig(keep=1.0)),
    Option("a freer adapter", config=AdapterConfig(keep=0.1)),
    Option("a second search with what the first found", echo=0.5),
    Option("a learned ranking", is_reranked=True),
)
TUNED = (
    Option("a fine-tuned encoder", is_tuned=True),
    Option("a fine-tuned encoder with a second search", echo=0.5, is_tuned=True),
    Option("a fine-tuned encoder with a learned ranking", is_tuned=True, is_reranked=True),
)


@dataclass(frozen=True)
class Choice:
    """``adapter`` is None when nothing was better, or when what was learned is held (``is_held``); ``sentence`` says why.

    ``encoder`` is the folder of a fine-tuned encoder, whose vectors ``adapter`` then is for: every passage is to be embedded again.
    """

    adapter: Adapter | None
    sentence: str
    figures: dict[str, dict[str, float]]
    is_held: bool = False
    encoder: Path | None = None


def choose(
    index: HybridIndex,
    taught: Sequence[Taught],
    vectors: NDArray[np.float32],
    *,
    seed: int = 0,
    report: Report | None = None,
    options: Sequence[Option] = OPTIONS,
    tuning: Tuning | None = None,
) -> Choice:
    """Pick and train the best option; ``vectors`` ``(len(taught), d)`` are the questions' embeddings, by the index's embedder.

    An option is taken when its mean of nDCG@10 and recall@5 on held-out questions beats nothing by more standard errors than
    the best of so many options would reach by chance (`errors_by_chance`); a learned ranking, when it beats nothing at all. With
    ``tuning`` a fine-tuned encoder is tried as well.
    """
    kept = [row for row, item in enumerate(taught) if any(id in index for id in item.right)][-AT_MOST:]
    if len(kept) < AT_LEAST:
        few = f"The retriever learned nothing: {len(kept)} labelled questions have a known right passage, {AT_LEAST} are needed."
        return Choice(None, few, {})
    school = School(index, [taught[row] for row in kept], vectors[kept], seed=seed)
    told = report or _say_nothing
    measured = _cross_validate(school, options, _part(told, 0.0, 0.7 if tuning is None else 0.2))
    found, trouble = _tried(school, tuning, seed=seed, report=_part(told, 0.2, 0.7))
    measured += found
    best, is_taken = pick(measured)
    figures = {name: values for one in measured for name, values in _figures_of(one).items()}
    if not is_taken:
        return Choice(None, _nothing_sentence(best) + trouble, figures, is_held=bool(trouble))
    choice = _trained(school, best, figures, tuning, seed=seed, report=_part(told, 0.7, 1.0))
    return replace(choice, sentence=choice.sentence + trouble)


def _say_nothing(_fraction: float, _message: str) -> None:
    return None


def _part(report: Report, low: float, high: float) -> Report:
    return lambda fraction, message: report(low + (high - low) * fraction, message)


def _cross_validate(school: School, options: Sequence[Option], report: Report) -> list[Measured]:
    before = school.cross_validate(NOTHING)
    measured = []
    for done, option in enumerate(options):
        report(done / len(options), f"The retriever: trying {option.name}")
        measured.append(Measured(option, before if option is NOTHING else school.cross_validate(option), before))
    return measured


def _tried(school: School, tuning: Tuning | None, *, seed: int, report: Report) -> tuple[list[Measured], str]:
    """What a fine-tuning comes to, and a sentence when it came to nothing of use."""
    if tuning is None:
        return [], ""
    try:
        return try_encoder(school, tuning, TUNED, seed=seed, report=report), ""
    except RetrieverError as error:
        return [], f" {error}"


def _gain(measured: Measured) -> NDArray[np.float64]:
    gain: NDArray[np.float64] = (measured.scores - measured.before).mean(axis=1)
    return gain


def pick(measured: Sequence[Measured]) -> tuple[Measured, bool]:
    """The one that gains most of those better than nothing, each by its own bar, and True; the best of all and False when none is."""
    tried = [one for one in measured if one.option is not NOTHING]
    to_prove = sum(not _is_cautious(one.option) for one in tried)
    taken = [one for one in tried if _is_sure(one, tried=to_prove)]
    best = max(taken or measured, key=lambda one: (_gain(one).mean(), one.option is NOTHING))
    return best, bool(taken)


def _is_cautious(option: Option) -> bool:
    """Whether an option may be taken on a slight gain: six weights, held to today's ranking, do little harm where they do no good.

    On development data the bar of the others turned most rankings down that helped unseen questions, and of those that any gain let
    through none cost more than 0.2 % from 50 judged pairs on; half a standard error turned down gains and hardly a loss
    (docs/measurements.md).
    """
    return option.is_reranked and not option.is_tuned


def _is_sure(one: Measured, *, tried: int) -> bool:
    gain = _gain(one)
    if _is_cautious(one.option):
        return bool(gain.mean() > 0)
    return bool(gain.mean() > errors_by_chance(tried) * gain.std(ddof=1) / len(gain) ** 0.5)


def _figures_of(measured: Measured) -> dict[str, dict[str, float]]:
    """By the option's name; a fine-tuning was measured on part of the questions, so what nothing does on those stands beside it."""
    found = {measured.option.name: _means(measured.scores)}
    return (
        {**found, "nothing, on the questions of the fine-tuning": _means(measured.before)}
        if measured.option.is_tuned
        else found
    )


def _means(scores: NDArray[np.float64]) -> dict[str, float]:
    return {"ndcg_at_10": float(scores[:, 0].mean()), "recall_at_5": float(scores[:, 1].mean())}


def errors_by_chance(tried: int) -> float:
    """How many standard errors the best of ``tried`` options must gain, by Šidák's correction of the one-sided normal quantile.

    The best of five that change nothing gains a standard error more than every second time, 2.3 of them once in twenty times.
    """
    return NormalDist().inv_cdf((1 - BY_CHANCE) ** (1 / max(tried, 1)))


def _trained(
    school: School,
    best: Measured,
    figures: dict[str, dict[str, float]],
    tuning: Tuning | None,
    *,
    seed: int,
    report: Report,
) -> Choice:
    try:
        adapter, encoder = _learn(school, best.option, tuning, seed=seed, report=report)
    except RetrieverError as error:
        return Choice(None, f"{error} The retriever in service stays.", figures, is_held=True)
    before, after = _means(best.before), _means(best.scores)
    sentence = (
        f"The retriever learned from {len(school.taught)} labelled questions ({best.option.name}): on {len(best.scores)} questions held out, "
        f"recall@5 went from {before['recall_at_5']:.1%} to {after['recall_at_5']:.1%} and nDCG@10 from {before['ndcg_at_10']:.3f} to "
        f"{after['ndcg_at_10']:.3f}."
    )
    return Choice(adapter, sentence, figures, encoder=encoder)


def _learn(
    school: School, option: Option, tuning: Tuning | None, *, seed: int, report: Report
) -> tuple[Adapter, Path | None]:
    """From all questions. Raises :class:`RetrieverError` when what was learned has collapsed."""
    rows = range(len(school.taught))
    if option.is_tuned and tuning is not None:
        place = tuning.folder / ENCODER
        tuned = train_encoder(school, tuning, rows, place, seed=seed, report=report)
        return school.rank(option, rows, dimension=tuned.dimension, embedder_identity=tuned.identity), place
    adapter = school.train(option, rows)
    collapse = find_collapse(adapter.apply(school.vectors))
    if collapse:
        raise RetrieverError(f"What the retriever learned is held, because {collapse}.")
    return adapter, None


def _nothing_sentence(best: Measured) -> str:
    before, after, count = _means(best.before), _means(best.scores), len(best.scores)
    so_far = f"recall@5 {before['recall_at_5']:.1%} and nDCG@10 {before['ndcg_at_10']:.3f} as it is"
    if best.option is NOTHING:
        return (
            f"The retriever stays as it is: on {count} labelled questions no way of training it was better ({so_far})."
        )
    return (
        f"The retriever stays as it is: the best way of training it ({best.option.name}: recall@5 {after['recall_at_5']:.1%}, nDCG@10 "
        f"{after['ndcg_at_10']:.3f}) was within chance on {count} labelled questions ({so_far})."
    )
