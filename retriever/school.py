"""Labelled questions as lessons over the passages that training looks at, and how well held-out questions then find theirs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retriever.adapter import Adapter, AdapterConfig, Lesson, mark, train_adapter
from retriever.evaluate import ndcg, recall_at
from retriever.finetuning import Triple, pick_negatives
from retriever.index import HybridIndex, passage_text
from retriever.reranker import Candidates, Reranker, train_reranker

FOLDS = 4
MINED = 30  # passages most like each question, from which hard negatives come
HARDEST = 3  # of a question's negatives, one of so many goes with each of its right passages into a fine-tuning
DEPTH = 10


@dataclass(frozen=True)
class Taught:
    """A labelled question with the ids of its right passages and of those that do not answer it."""

    text: str
    right: tuple[int, ...]
    wrong: tuple[int, ...] = ()


@dataclass(frozen=True)
class Option:
    """A way to learn; ``is_tuned``: with the encoder fine-tuned and every passage embedded again, ``is_reranked``: what is found, ordered anew."""

    name: str
    words_weight: float = 1.0
    config: AdapterConfig | None = None
    echo: float = 0.0
    is_tuned: bool = False
    is_reranked: bool = False


class School:
    """The labelled questions as lessons over the passages that training looks at."""

    def __init__(
        self, index: HybridIndex, taught: Sequence[Taught], vectors: NDArray[np.float32], *, seed: int
    ) -> None:
        self.index, self.taught, self.vectors, self._seed = index, list(taught), vectors, seed
        near = index.search_ids_by_vector(vectors, k=MINED)
        named = [[id for id in (*item.right, *item.wrong) if id in index] for item in self.taught]
        pool = sorted({id for ids in (*near, *named) for id in ids})
        place = {id: row for row, id in enumerate(pool)}
        self._pool, self._passages = pool, index.vectors_of(pool)
        self._lessons = [
            Lesson(row, _rows(item.right, place), _rows([id for id in item.wrong if id not in item.right], place))
            for row, item in enumerate(self.taught)
        ]
        order = list(range(len(self.taught)))
        random.Random(seed).shuffle(order)
        self.folds = [order[fold::FOLDS] for fold in range(FOLDS)]

    @cached_property
    def _candidates(self) -> list[Candidates]:
        return self.index.candidates([item.text for item in self.taught], self.vectors)

    def train(self, option: Option, rows: Sequence[int]) -> Adapter:
        """An adapter from the lessons ``rows``; one that changes no vector when only the ranking is learned."""
        identity = self.index.embedder_identity
        if option.config is None:
            return self.rank(option, rows, dimension=self.vectors.shape[1], embedder_identity=identity)
        return train_adapter(
            self.vectors,
            self._passages,
            [self._lessons[row] for row in rows],
            embedder_identity=identity,
            config=replace(option.config, seed=self._seed),
            words_weight=option.words_weight,
        )

    def rank(self, option: Option, rows: Sequence[int], *, dimension: int, embedder_identity: str) -> Adapter:
        """An adapter that leaves every vector as it is and ranks as ``option`` says and, if it is reranked, as the lessons ``rows`` teach.

        They teach it under this school's index even for a fine-tuned encoder, which has seen these very questions and looks too good on them.
        """
        reranker = None
        if option.is_reranked:
            right = [self.taught[row].right for row in rows]
            reranker = train_reranker([self._candidates[row] for row in rows], right)
        return unchanging(option, dimension=dimension, embedder_identity=embedder_identity, reranker=reranker)

    def triples(self, rows: Sequence[int]) -> list[Triple]:
        """Each right passage of the lessons ``rows`` with one that is wrong: rejected or mined, by the 95 % rule."""
        lessons = [self._lessons[row] for row in rows]
        wanted, allowed = mark(self.vectors, self._passages, lessons)
        cosines = self.vectors[list(rows)] @ self._passages.T
        texts = [passage_text(self.index.passage(id)) for id in self._pool]
        chooser = random.Random(self._seed)
        found = []
        for number, lesson in enumerate(lessons):
            hard = pick_negatives(
                cosines[number], wanted[number], allowed[number], rejected=lesson.negatives, count=HARDEST
            )
            for right in lesson.positives:
                wrong = texts[chooser.choice(hard)] if hard else ""
                found.append(Triple(self.taught[lesson.question].text, texts[right], wrong))
        return found

    def rest(self, held_out: Sequence[int]) -> list[int]:
        hidden = set(held_out)
        return [row for row in range(len(self.taught)) if row not in hidden]

    def cross_validate(self, option: Option) -> NDArray[np.float64]:
        """nDCG@10 and recall@5 of each question, ``(n, 2)``, by what was learned from the folds without it."""
        scores = np.zeros((len(self.taught), 2))
        for held_out in self.folds:
            adapter = self.train(option, self.rest(held_out))
            scores[held_out] = self.examine(self.index, adapter, held_out, self.vectors[held_out])
        return scores

    def examine(
        self, index: HybridIndex, adapter: Adapter, rows: Sequence[int], vectors: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """nDCG@10 and recall@5 of the questions ``rows``, ``(len(rows), 2)``; ``vectors`` are theirs by the index's embedder."""
        ranked = ranked_ids(index, adapter, [self.taught[row].text for row in rows], vectors, k=DEPTH)
        rights = [self.taught[row].right for row in rows]
        return np.array(
            [
                (ndcg(found, dict.fromkeys(right, 1.0), k=DEPTH), recall_at(found, right, 5))
                for found, right in zip(ranked, rights, strict=True)
            ]
        )


def unchanging(option: Option, *, dimension: int, embedder_identity: str, reranker: Reranker | None = None) -> Adapter:
    """An adapter that leaves every vector as it is and ranks as ``option`` and ``reranker`` say."""
    down, up = np.zeros((dimension, 1), dtype=np.float32), np.zeros((1, dimension), dtype=np.float32)
    weight, echo = option.words_weight, option.echo
    return Adapter(down, up, embedder_identity=embedder_identity, words_weight=weight, echo=echo, reranker=reranker)


def ranked_ids(
    index: HybridIndex, adapter: Adapter, texts: Sequence[str], vectors: NDArray[np.float32], *, k: int
) -> list[list[int]]:
    """The ids that the questions find by ``adapter``; ``vectors`` are as the embedder made them."""
    aimed = aim(index, adapter, texts, vectors)
    return index.search_ids(texts, aimed, k=k, words_weight=adapter.words_weight, reranker=adapter.reranker)


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
