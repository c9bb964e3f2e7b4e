"""How alike a text and a passage are: the nearest sentence decides, and a passage asked for again is not embedded again."""

from collections.abc import Sequence
from typing import Any

import pytest

from retriever import similarity
from retriever.embedder import HashEmbedder
from retriever.similarity import SentenceSimilarity

QUESTION = "Does the garden have a fountain?"
NEAR = "The garden has an old fountain."
FAR = "Trains leave every twenty minutes."


class Counting(HashEmbedder):
    """Remembers what it embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        self.seen.extend(texts)
        return super().encode(texts, **options)


def test_the_nearest_sentence_decides_wherever_it_stands() -> None:
    measure = SentenceSimilarity(HashEmbedder())
    alone, among, far = measure([(QUESTION, NEAR), (QUESTION, f"{FAR} {NEAR} {FAR}"), (QUESTION, FAR)])
    assert among == pytest.approx(alone)
    assert alone > far + 0.2


def test_a_passage_without_words_is_like_nothing_and_no_pairs_give_nothing() -> None:
    measure = SentenceSimilarity(HashEmbedder())
    assert measure([(QUESTION, "  \n ")]) == [0.0]
    assert measure([]) == []


def test_a_known_passage_is_not_embedded_again_until_too_many_others_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "KEPT", 2)
    embedder = Counting()
    measure = SentenceSimilarity(embedder)
    first = measure([(QUESTION, NEAR), (QUESTION, FAR)])
    embedder.seen.clear()
    assert measure([(QUESTION, NEAR), (QUESTION, FAR)]) == first
    assert embedder.seen == [QUESTION]
    measure([(QUESTION, "A third passage.")])
    embedder.seen.clear()
    assert measure([(QUESTION, NEAR)]) == first[:1]
    assert embedder.seen == [NEAR, QUESTION]


def test_a_known_passage_that_stands_twice_in_one_call_is_not_embedded_again() -> None:
    embedder = Counting()
    measure = SentenceSimilarity(embedder)
    first = measure([(QUESTION, NEAR)])
    embedder.seen.clear()
    assert measure([(QUESTION, NEAR), (QUESTION, NEAR)]) == first * 2
    assert embedder.seen == [QUESTION]
