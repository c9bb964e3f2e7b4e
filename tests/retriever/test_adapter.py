"""What labels teach: an adapter that finds what it was shown, no false negatives, and no collapse in silence."""

from pathlib import Path

import numpy as np
import pytest

from retriever.adapter import Adapter, AdapterConfig, Lesson, find_collapse, mark, train_adapter
from retriever.embedder import HashEmbedder
from retriever.index import HybridIndex, passage_text
from retriever.learning import AT_LEAST, NOTHING, OPTIONS, choose
from retriever.school import Option, Taught, aim, ranked_ids
from retriever.types import Passage, RetrieverError

EMBEDDER = HashEmbedder()
IDENTITY = EMBEDDER.identity
# Customers ask in words that no passage has: only a label can tell which subject they mean.
SUBJECTS = {
    "vehicle": "Parking is behind the station.", "beverage": "Wine comes from Sicily.", "canine": "Dogs may sit on the terrace.",
    "payment": "Cards are accepted at the till.", "infant": "Children eat for half the price.", "heating": "Stoves warm the winter garden.",
}  # fmt: skip
PASSAGES = [Passage(number, text) for number, text in enumerate(SUBJECTS.values(), 1)]


def taught_questions() -> list[Taught]:
    shapes = (
        "What about the {}?",
        "Tell me of your {} rules",
        "Any {} news today?",
        "My {} is special, so?",
        "Is {} possible here?",
    )
    return [
        Taught(shape.format(word), (number,), (1 + number % len(SUBJECTS),))
        for shape in shapes
        for number, word in enumerate(SUBJECTS, 1)
    ]


def index() -> HybridIndex:
    vectors = EMBEDDER.encode([passage_text(passage) for passage in PASSAGES])
    return HybridIndex.build(PASSAGES, vectors, embedder_identity=IDENTITY)


def test_an_adapter_is_chosen_when_held_out_questions_find_their_passage_by_it() -> None:
    taught = taught_questions()
    choice = choose(index(), taught, EMBEDDER.encode([item.text for item in taught]))
    assert choice.adapter is not None, choice.sentence
    assert choice.figures["an adapter"]["ndcg_at_10"] > choice.figures["nothing"]["ndcg_at_10"] + 0.2
    asked = EMBEDDER.encode(["Do you like a vehicle?"])
    [hits] = index().search_many(["Do you like a vehicle?"], choice.adapter.apply(asked), k=1)
    assert hits[0].passage == 1


def test_what_does_not_help_is_not_taken_and_the_sentence_says_so() -> None:
    taught = [Taught(passage.text, (passage.id,)) for passage in PASSAGES for _ in range(4)]
    choice = choose(index(), taught, EMBEDDER.encode([item.text for item in taught]))
    assert choice.adapter is None
    assert "stays as it is" in choice.sentence


def test_a_gain_that_convinces_for_one_option_does_not_for_the_best_of_five() -> None:
    easy = [Taught(passage.text, (passage.id,)) for passage in PASSAGES for _ in range(4)]
    # Five questions of a kind that an adapter helps: 1.85 standard errors, where one option needs 1.64 and five need 2.32.
    taught = easy + [item for item in taught_questions() if item.right == (4,)]
    vectors = EMBEDDER.encode([item.text for item in taught])
    adapter_alone = [NOTHING, next(option for option in OPTIONS if option.name == "an adapter")]
    assert choose(index(), taught, vectors, options=adapter_alone).adapter is not None
    best_of_five = choose(index(), taught, vectors, options=[option for option in OPTIONS if not option.is_reranked])
    assert best_of_five.adapter is None
    assert "within chance" in best_of_five.sentence


def test_too_few_labels_teach_nothing_and_the_sentence_says_how_many_are_needed() -> None:
    taught = taught_questions()[: AT_LEAST - 1]
    choice = choose(index(), taught, EMBEDDER.encode([item.text for item in taught]))
    assert choice.adapter is None
    assert f"{AT_LEAST} are needed" in choice.sentence


def test_a_retriever_trained_into_collapse_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    from retriever import school

    taught = taught_questions()
    one = EMBEDDER.encode(["vehicle"])[0]

    def collapse(vectors: np.ndarray, *_others: object, **options: object) -> Adapter:
        down = (50 * vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))).reshape(-1, 1).astype(np.float32)
        return Adapter(down, one.reshape(1, -1), embedder_identity=IDENTITY)

    monkeypatch.setattr(school, "train_adapter", collapse)
    # Every question is about the one subject that the collapsed vectors point to, so that held-out figures alone look fine.
    taught = [Taught(item.text, (1,)) for item in taught]
    broken = Option("a broken adapter", config=AdapterConfig())
    choice = choose(index(), taught, EMBEDDER.encode([item.text for item in taught]), options=[NOTHING, broken])
    assert choice.is_held
    assert choice.adapter is None
    assert "collapsed" in choice.sentence


def test_embeddings_that_are_all_alike_are_found_out_and_healthy_ones_are_not() -> None:
    healthy = EMBEDDER.encode([item.text for item in taught_questions()])
    assert find_collapse(healthy) == ""
    alike = np.repeat(healthy[:1], 30, axis=0) + np.random.default_rng(0).normal(0, 1e-3, (30, 256)).astype(np.float32)
    assert "collapsed" in find_collapse((alike / np.linalg.norm(alike, axis=1, keepdims=True)).astype(np.float32))
    assert "not numbers" in find_collapse(np.full((3, 4), np.nan, dtype=np.float32))


def test_a_passage_as_near_as_the_right_one_is_no_negative_unless_a_person_rejected_it() -> None:
    question = np.array([[1.0, 0.0]], dtype=np.float32)
    cosines = np.array([0.8, 0.77, 0.75, 0.1], dtype=np.float32)  # 95 % of the right one's 0.8 is 0.76
    passages = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    wanted, allowed = mark(question, passages, [Lesson(0, (0,))])
    assert (wanted[0].tolist(), allowed[0].tolist()) == ([True, False, False, False], [True, False, True, True])
    _, allowed = mark(question, passages, [Lesson(0, (0,), negatives=(1,))])
    assert allowed[0].tolist() == [True, True, True, True]


def trained() -> Adapter:
    taught = taught_questions()
    vectors = EMBEDDER.encode([item.text for item in taught])
    passages = EMBEDDER.encode([passage.text for passage in PASSAGES])
    lessons = [Lesson(row, (item.right[0] - 1,)) for row, item in enumerate(taught)]
    return train_adapter(
        vectors, passages, lessons, embedder_identity=IDENTITY, config=AdapterConfig(steps=5), words_weight=0.5
    )


def test_an_adapter_comes_back_from_disk_and_the_same_seed_gives_the_same_one(tmp_path: Path) -> None:
    adapter = trained()
    adapter.echo = 0.25
    adapter.save(tmp_path)
    loaded = Adapter.load(tmp_path, embedder_identity=IDENTITY)
    vectors = EMBEDDER.encode(["Any vehicle?"])
    assert np.array_equal(loaded.apply(vectors), adapter.apply(vectors))
    assert np.array_equal(trained().apply(vectors), adapter.apply(vectors))
    assert (loaded.words_weight, loaded.echo) == (0.5, 0.25)
    assert not np.allclose(adapter.apply(vectors), vectors)


def test_an_adapter_of_another_embedder_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    adapter = trained()
    adapter.save(tmp_path)
    with pytest.raises(RetrieverError, match="another@1"):
        Adapter.load(tmp_path, embedder_identity="another@1")
    (tmp_path / "adapter.safetensors").write_bytes(b"not tensors")
    with pytest.raises(RetrieverError, match="cannot be read"):
        Adapter.load(tmp_path, embedder_identity=IDENTITY)
    adapter.down[0, 0] = np.nan
    adapter.save(tmp_path)
    with pytest.raises(RetrieverError, match="damaged"):
        Adapter.load(tmp_path, embedder_identity=IDENTITY)


def test_a_second_search_finds_what_only_the_first_passage_found_has_words_for() -> None:
    texts = [
        "Oysters come from the harbour market.",
        "The harbour market sells mussels.",
        "Dogs may sit outside.",
        "Wine is red.",
    ]
    passages = [Passage(number, text) for number, text in enumerate(texts, 1)]
    vectors = EMBEDDER.encode(texts)
    held = HybridIndex.build(passages, vectors, embedder_identity=IDENTITY)
    question = ["Where do oysters come from?"]
    asked = EMBEDDER.encode(question)
    nothing = np.zeros((EMBEDDER.dimension, 1), dtype=np.float32)
    plain = Adapter(nothing, nothing.T, embedder_identity=IDENTITY)
    echoing = Adapter(nothing, nothing.T, embedder_identity=IDENTITY, echo=1.0)
    assert np.array_equal(aim(held, plain, question, asked), asked)
    aimed = aim(held, echoing, question, asked)
    assert np.linalg.norm(aimed, axis=1) == pytest.approx(1.0)
    assert float(aimed[0] @ vectors[1]) > float(asked[0] @ vectors[1]) + 0.1
    assert ranked_ids(held, echoing, question, asked, k=2) == [[1, 2]]
