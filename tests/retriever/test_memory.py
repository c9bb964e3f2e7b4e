"""A label moves the passages of like questions at once, and only of like ones."""

import numpy as np
import pytest

from retriever.embedder import HashEmbedder
from retriever.index import HybridIndex, passage_text
from retriever.memory import Memory, Remembered
from retriever.types import Hit, Passage

EMBEDDER = HashEmbedder()
PASSAGES = [
    Passage(1, "Parking is free behind the station after six."),
    Passage(2, "The kitchen closes at ten in the evening."),
    Passage(3, "Parking costs three euros in the garage by the harbour."),
    Passage(4, "Dogs are welcome on the terrace."),
]
QUESTION = "Where can guests leave the car?"


def index() -> HybridIndex:
    vectors = EMBEDDER.encode([passage_text(passage) for passage in PASSAGES])
    return HybridIndex.build(PASSAGES, vectors, embedder_identity=EMBEDDER.identity)


def search(memory: Memory, question: str) -> list[Hit]:
    vectors = EMBEDDER.encode([question])
    return index().search_many([question], vectors, k=4, lifts=memory.recall(vectors))[0]


def remembering(*items: Remembered) -> Memory:
    return Memory.empty().with_remembered(items, encode=EMBEDDER.encode)


def test_the_right_passage_of_a_like_question_comes_first_and_names_the_label() -> None:
    asked = "Where can the guests leave their car?"
    assert search(Memory.empty(), asked)[0].passage != 2
    first = search(remembering(Remembered(12, QUESTION, right=(2,))), asked)[0]
    assert (first.passage, first.lift_label) == (2, 12)
    assert 0 < first.lift <= 1
    assert first.score <= 1


def test_a_rejected_passage_falls_behind_every_other_that_was_found() -> None:
    asked = "Where is parking free?"
    assert search(Memory.empty(), asked)[0].passage == 1
    hits = search(remembering(Remembered(7, asked, rejected=(1,))), asked)
    assert hits[0].passage != 1
    lowered = next(hit for hit in hits if hit.passage == 1)
    assert (lowered.lift, lowered.lift_label, lowered.rank) == (-1.0, 7, 4)


def test_another_question_is_left_as_it_was() -> None:
    asked = "When does the kitchen close?"
    assert search(remembering(Remembered(1, QUESTION, right=(2,))), asked) == search(Memory.empty(), asked)


def test_of_two_labels_on_one_question_the_newest_has_the_last_word() -> None:
    older, newer = Remembered(1, QUESTION, rejected=(2,)), Remembered(2, QUESTION, right=(2,))
    assert search(remembering(older, newer), QUESTION)[0].passage == 2
    assert search(remembering(newer, older), QUESTION)[0].passage == 2


def test_only_new_questions_are_embedded_and_forgotten_ones_move_nothing() -> None:
    seen: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return EMBEDDER.encode(texts)

    first, second = Remembered(1, QUESTION, right=(2,)), Remembered(2, "Are dogs allowed?", right=(2,))
    memory = Memory.empty().with_remembered([first], encode=encode)  # type: ignore[arg-type]
    memory = memory.with_remembered([first, second], encode=encode)  # type: ignore[arg-type]
    assert seen == [QUESTION, "Are dogs allowed?"]
    memory = memory.with_remembered([second], encode=encode)  # type: ignore[arg-type]
    assert memory.recall(EMBEDDER.encode([QUESTION])) == [{}]
    assert len(seen) == 2


def test_a_passage_that_the_index_does_not_hold_is_passed_over() -> None:
    hits = search(remembering(Remembered(1, QUESTION, right=(99,))), QUESTION)
    assert {hit.passage for hit in hits} == {1, 2, 3, 4}


@pytest.mark.parametrize("lift", [0.0, 1.0])
def test_scores_stay_between_0_and_1(lift: float) -> None:
    asked = "Is parking free behind the station?"
    memory = remembering(Remembered(1, asked, right=(1,))) if lift else Memory.empty()
    assert search(memory, asked)[0].score == pytest.approx(1.0)
