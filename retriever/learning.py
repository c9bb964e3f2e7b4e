"""Whether labels make the retriever better, and how: every option is cross-validated on the labelled questions, "nothing" too."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from retriever.adapter import Adapter, AdapterConfig, Lesson, find_collapse, train_adapter
from retriever.evaluate import hit_at, reciprocal_rank
from retriever.index import HybridIndex
from retriever.types import Report

AT_LEAST = 20  # taught questions; a fifth of fewer would say nothing
AT_MOST = 1000  # the newest; the loss compares each with every passage named
FOLDS = 4
MINED = 30  # passages most like each question, from which hard negatives come
DEPTH = 10
BY_CHANCE = 0.05  # how often, of comparisons in which no option is better than nothing, one may still be taken


@dataclass(frozen=True)
class Taught:
    """A labelled question with the ids of its right passages and of those that do not answer it."""

    text: str
    right: tuple[int, ...]
    wrong: tuple[int, ...] = ()


@dataclass(frozen=True)
class Option:
    name: str
    words_weight: float = 1.0
    config: AdapterConfig | None = None
    echo: float = 0.0


NOTHING = Option("nothing")
OPTIONS = (
    NOTHING,
    Option("words count half", words_weight=0.5),
    Option("words count twice", words_weight=2.0),
    Option("an adapter", config=AdapterConfig(keep=1.0)),
    Option("a freer adapter", config=AdapterConfig(keep=0.1)),
    Option("a second search with what the first found", echo=0.5),
)


@dataclass(frozen=True)
class Choice:
    """``adapter`` is None when nothing was better, or when what was learned is held (``is_held``); ``sentence`` says why."""

    adapter: Adapter | None
    sentence: str
    figures: dict[str, dict[str, float]]
    is_held: bool = False


def choose(
    index: HybridIndex,
    taught: Sequence[Taught],
    vectors: NDArray[np.float32],
    *,
    seed: int = 0,
    report: Report | None = None,
    options: Sequence[Option] = OPTIONS,
) -> Choice:
    """Pick and train the best option; ``vectors`` ``(len(taught), d)`` are the questions' embeddings, by the index's embedder.

    An option is taken when its mean of MRR@10 and recall@5 on held-out questions beats nothing by more standard errors than
    the best of so many options would reach by chance (`errors_by_chance`).
    """
    kept = [row for row, item in enumerate(taught) if any(id in index for id in item.right)][-AT_MOST:]
    if len(kept) < AT_LEAST:
        few = f"The retriever learned nothing: {len(kept)} labelled questions have a known right passage, {AT_LEAST} are needed."
        return Choice(None, few, {})
    school = _School(index, [taught[row] for row in kept], vectors[kept], seed=seed)
    scores: dict[str, NDArray[np.float64]] = {}
    for done, option in enumerate(options):
        if report is not None:
            report(done / (len(options) + 1), f"The retriever: trying {option.name}")
        scores[option.name] = school.cross_validate(option)
    figures = {
        name: {"mrr_at_10": float(row[:, 0].mean()), "recall_at_5": float(row[:, 1].mean())}
        for name, row in scores.items()
    }
    best = max(options, key=lambda option: (scores[option.name].mean(), option is NOTHING))
    gain = scores[best.name].mean(axis=1) - scores[NOTHING.name].mean(axis=1)
    doubt = float(gain.std(ddof=1) / len(gain) ** 0.5)
    tried = sum(option is not NOTHING for option in options)
    if best is NOTHING or gain.mean() <= errors_by_chance(tried) * doubt:
        return Choice(None, _nothing_sentence(best, figures, len(kept)), figures)
    return _trained(school, best, figures)


def errors_by_chance(tried: int) -> float:
    """How many standard errors the best of ``tried`` options must gain, by Šidák's correction of the one-sided normal quantile.

    The best of five that change nothing gains a standard error more than every second time, 2.3 of them once in twenty times.
    """
    return NormalDist().inv_cdf((1 - BY_CHANCE) ** (1 / max(tried, 1)))


def _trained(school: "_School", best: Option, figures: dict[str, dict[str, float]]) -> Choice:
    adapter = school.train(best, range(len(school.taught)))
    collapse = find_collapse(adapter.apply(school.vectors))
    if collapse:
        held = f"What the retriever learned is held, because {collapse}; the one in service stays."
        return Choice(None, held, figures, is_held=True)
    before, after = figures[NOTHING.name], figures[best.name]
    sentence = (
        f"The retriever learned from {len(school.taught)} labelled questions ({best.name}): on questions held out, recall@5 went from "
        f"{before['recall_at_5']:.1%} to {after['recall_at_5']:.1%} and MRR from {before['mrr_at_10']:.3f} to {after['mrr_at_10']:.3f}."
    )
    return Choice(adapter, sentence, figures)


def _nothing_sentence(best: Option, figures: dict[str, dict[str, float]], count: int) -> str:
    before = figures[NOTHING.name]
    so_far = f"recall@5 {before['recall_at_5']:.1%} and MRR {before['mrr_at_10']:.3f} as it is"
    if best is NOTHING:
        return (
            f"The retriever stays as it is: on {count} labelled questions no way of training it was better ({so_far})."
        )
    after = figures[best.name]
    return (
        f"The retriever stays as it is: the best way of training it ({best.name}: recall@5 {after['recall_at_5']:.1%}, MRR "
        f"{after['mrr_at_10']:.3f}) was within chance on {count} labelled questions ({so_far})."
    )


class _School:
    """The labelled questions as lessons over the passages that training looks at."""

    def __init__(
        self, index: HybridIndex, taught: Sequence[Taught], vectors: NDArray[np.float32], *, seed: int
    ) -> None:
        self.index, self.taught, self.vectors, self._seed = index, list(taught), vectors, seed
        near = index.search_ids_by_vector(vectors, k=MINED)
        named = [[id for id in (*item.right, *item.wrong) if id in index] for item in self.taught]
        pool = sorted({id for ids in (*near, *named) for id in ids})
        place = {id: row for row, id in enumerate(pool)}
        self._passages = index.vectors_of(pool)
        self._lessons = [
            Lesson(row, _rows(item.right, place), _rows([id for id in item.wrong if id not in item.right], place))
            for row, item in enumerate(self.taught)
        ]
        order = list(range(len(self.taught)))
        random.Random(seed).shuffle(order)
        self._folds = [order[fold::FOLDS] for fold in range(FOLDS)]

    def train(self, option: Option, rows: Sequence[int]) -> Adapter:
        """An adapter from the lessons ``rows``; one that changes no vector when only the weight of words is learned."""
        identity, dimension = self.index.embedder_identity, self.vectors.shape[1]
        if option.config is None:
            down, up = np.zeros((dimension, 1), dtype=np.float32), np.zeros((1, dimension), dtype=np.float32)
            return Adapter(down, up, embedder_identity=identity, words_weight=option.words_weight, echo=option.echo)
        return train_adapter(
            self.vectors,
            self._passages,
            [self._lessons[row] for row in rows],
            embedder_identity=identity,
            config=replace(option.config, seed=self._seed),
            words_weight=option.words_weight,
        )

    def cross_validate(self, option: Option) -> NDArray[np.float64]:
        """MRR@10 and recall@5 of each question, ``(n, 2)``, by what was learned from the folds without it."""
        scores = np.zeros((len(self.taught), 2))
        for held_out in self._folds:
            hidden = set(held_out)
            rest = [row for row in range(len(self.taught)) if row not in hidden]
            adapter = self.train(option, rest)
            texts = [self.taught[row].text for row in held_out]
            ranked = ranked_ids(self.index, adapter, texts, self.vectors[held_out], k=DEPTH)
            for row, found in zip(held_out, ranked, strict=True):
                right = self.taught[row].right
                scores[row] = reciprocal_rank(found, right, k=DEPTH), hit_at(found, right, 5)
        return scores


def ranked_ids(
    index: HybridIndex, adapter: Adapter, texts: Sequence[str], vectors: NDArray[np.float32], *, k: int
) -> list[list[int]]:
    """The ids that the questions find by ``adapter``; ``vectors`` are as the embedder made them."""
    return index.search_ids(texts, aim(index, adapter, texts, vectors), k=k, words_weight=adapter.words_weight)


def aim(
    index: HybridIndex, adapter: Adapter, texts: Sequence[str], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The vectors to search with: changed by ``adapter``, and moved towards what they find first when it has an echo."""
    changed = adapter.apply(vectors)
    if not adapter.echo:
        return changed
    return index.echoed(texts, changed, weight=adapter.echo, words_weight=adapter.words_weight)


def _rows(ids: Sequence[int], place: dict[int, int]) -> tuple[int, ...]:
    return tuple(place[id] for id in ids if id in place)
