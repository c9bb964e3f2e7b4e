"""A ranking learned from labels: it finds what to trust, changes little without evidence, is saved, and lifts still count."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from retriever import encoder_trial
from retriever.adapter import SETTINGS, Adapter, AdapterConfig
from retriever.embedder import HashEmbedder, SentenceEmbedder
from retriever.encoder_trial import Measured, Tuning, try_encoder
from retriever.index import HybridIndex, passage_text
from retriever.learning import NOTHING, OPTIONS, TUNED, Choice, choose, pick
from retriever.memory import Memory, Remembered
from retriever.reranker import FEATURES, Candidates, Reranker, features_of, train_reranker
from retriever.school import Option, School, Taught, ranked_ids, unchanging
from retriever.types import Passage, RetrieverError

EMBEDDER = HashEmbedder()
IDENTITY = EMBEDDER.identity
WORDS = ("vehicle", "beverage", "canine", "payment", "infant", "heating")
# A passage is on what its title says and speaks most of something else, so that words and vectors both mislead.
PASSAGES = [
    Passage(number, f"Here the {other} is spoken of, this {other} and that {other}.", title=word)
    for number, (word, other) in enumerate(zip(WORDS, WORDS[1:] + WORDS[:1], strict=True), 1)
]
SHAPES = ("What about the {}?", "Tell me of your {} rules", "Any {} news today?", "My {} is special, so?")
LEARNED = [option for option in OPTIONS if option.is_reranked]
NEW = "Do you like a vehicle?"


def index(passages: list[Passage] = PASSAGES) -> HybridIndex:
    vectors = EMBEDDER.encode([passage_text(passage) for passage in passages])
    return HybridIndex.build(passages, vectors, embedder_identity=IDENTITY)


def taught(*, right: int = 0) -> list[Taught]:
    """Each word's questions; ``right`` passages further than the one whose title names it."""
    return [
        Taught(shape.format(word), (1 + (number + right) % len(WORDS),)) for shape in SHAPES for number, word in enumerate(WORDS)
    ]  # fmt: skip


def chosen(questions: list[Taught]) -> Choice:
    vectors = EMBEDDER.encode([item.text for item in questions])
    return choose(index(), questions, vectors, options=[NOTHING, *LEARNED])


def learned() -> Reranker:
    questions = taught()
    found = index().candidates([item.text for item in questions], EMBEDDER.encode([item.text for item in questions]))
    reranker = train_reranker(found, [item.right for item in questions])
    assert reranker is not None
    return reranker


def measured(option: Option, *, gain: float, spread: float = 0.0) -> Measured:
    """40 questions whose mean gain is ``gain``, half of them ``spread`` above it and half below."""
    before = np.full((40, 2), 0.5)
    return Measured(option, before + gain + spread * np.array([[1.0], [-1.0]] * 20), before)


def first(adapter: Adapter) -> int:
    return ranked_ids(index(), adapter, [NEW], EMBEDDER.encode([NEW]), k=1)[0][0]


def test_labels_teach_that_titles_are_to_be_trusted_and_an_unseen_question_finds_its_passage() -> None:
    choice = chosen(taught())
    assert choice.adapter is not None, choice.sentence
    assert choice.adapter.reranker is not None
    assert choice.figures["a learned ranking"]["ndcg_at_10"] > choice.figures["nothing"]["ndcg_at_10"] + 0.2
    weights = choice.adapter.reranker.to_json()
    assert max(weights, key=lambda name: weights[name]) == "title"
    assert index().search_ids([NEW], EMBEDDER.encode([NEW]), k=1) == [[6]]
    assert first(choice.adapter) == 1


def test_a_ranking_that_helps_no_held_out_question_is_not_taken() -> None:
    choice = chosen(taught(right=-1))  # the passages that come first already
    assert choice.adapter is None
    assert "stays as it is" in choice.sentence


def test_a_ranking_needs_only_a_gain_and_is_not_passed_over_for_one_that_gains_more_by_chance() -> None:
    [ranking], adapter, nothing = LEARNED, Option("an adapter", config=AdapterConfig()), measured(NOTHING, gain=0.0)
    slight, noisy = measured(ranking, gain=0.001, spread=0.25), measured(adapter, gain=0.05, spread=0.25)
    assert pick([nothing, noisy, slight]) == (slight, True)
    assert pick([nothing, noisy]) == (noisy, False)
    assert pick([nothing, measured(ranking, gain=0.0, spread=0.25)]) == (nothing, False)
    sure = measured(adapter, gain=0.05, spread=0.05)
    assert pick([nothing, sure, slight]) == (sure, True)


def test_a_tuned_encoder_must_be_surely_better_even_with_a_ranking() -> None:
    nothing, [tuned] = measured(NOTHING, gain=0.0), [option for option in TUNED if option.is_reranked]
    by_chance = measured(tuned, gain=0.05, spread=0.25)
    assert pick([nothing, by_chance]) == (by_chance, False)
    sure = measured(tuned, gain=0.05, spread=0.05)
    assert pick([nothing, sure]) == (sure, True)


def test_neither_encoder_nor_ranking_of_a_trial_learns_from_the_questions_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions, seen = taught(), []

    def training(_school: School, _tuning: Tuning, rows: Sequence[int], place: Path, **_others: object) -> HashEmbedder:
        place.mkdir()
        seen.append(list(rows))
        return EMBEDDER

    def ranking(_school: School, option: Option, rows: Sequence[int], **others: Any) -> Adapter:
        seen.append(list(rows))
        return unchanging(option, **others)

    monkeypatch.setattr(encoder_trial, "train_encoder", training)
    monkeypatch.setattr(School, "rank", ranking)
    school = School(index(), questions, EMBEDDER.encode([item.text for item in questions]), seed=0)
    tuning = Tuning(cast(SentenceEmbedder, EMBEDDER), tmp_path)
    try_encoder(school, tuning, [option for option in TUNED if option.is_reranked], seed=0)
    rests = [sorted(set(range(len(questions))) - set(fold)) for fold in school.folds[:2]]
    assert seen == [rests[0], rests[0], rests[1], rests[1]]


def test_it_comes_back_from_disk_and_ranks_the_same(tmp_path: Path) -> None:
    adapter = chosen(taught()).adapter
    assert adapter is not None
    adapter.save(tmp_path)
    loaded = Adapter.load(tmp_path, embedder_identity=IDENTITY)
    assert loaded.reranker == adapter.reranker
    assert first(loaded) == 1


def test_a_retriever_saved_before_rankings_were_learned_still_loads(tmp_path: Path) -> None:
    adapter = chosen(taught()).adapter
    assert adapter is not None
    adapter.save(tmp_path)
    about = json.loads((tmp_path / SETTINGS).read_text())
    del about["reranker"]
    (tmp_path / SETTINGS).write_text(json.dumps(about))
    assert Adapter.load(tmp_path, embedder_identity=IDENTITY).reranker is None


@pytest.mark.parametrize(
    "saved",
    [
        {**dict.fromkeys(FEATURES, 1.0), "colour": 1.0},
        {name: 1.0 for name in FEATURES[1:]},
        {**dict.fromkeys(FEATURES, 1.0), "title": float("nan")},
        {**dict.fromkeys(FEATURES, 1.0), "title": "much"},
        [1.0] * len(FEATURES),
    ],
)
def test_weights_of_other_features_or_that_are_no_numbers_are_refused(tmp_path: Path, saved: object) -> None:
    adapter = chosen(taught()).adapter
    assert adapter is not None
    adapter.save(tmp_path)
    about = json.loads((tmp_path / SETTINGS).read_text())
    (tmp_path / SETTINGS).write_text(json.dumps({**about, "reranker": saved}))
    with pytest.raises(RetrieverError) as refused:
        Adapter.load(tmp_path, embedder_identity=IDENTITY)
    sentence = f"The learned ranking in {tmp_path} is damaged or of another version; restore it from a backup."
    assert str(refused.value) == sentence


def test_a_label_on_the_same_question_still_comes_first_and_the_hits_are_those_of_the_ids() -> None:
    vectors = EMBEDDER.encode([NEW])
    reranker = learned()
    [hits] = index().search_many([NEW], vectors, k=6, reranker=reranker)
    assert [hit.passage for hit in hits] == index().search_ids([NEW], vectors, k=6, reranker=reranker)[0]
    assert hits[0].passage == 1
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    memory = Memory.empty().with_remembered([Remembered(7, NEW, (3,))], encode=EMBEDDER.encode)
    [lifted] = index().search_many([NEW], vectors, k=6, reranker=reranker, lifts=memory.recall(vectors))
    assert (lifted[0].passage, lifted[0].lift_label) == (3, 7)
    assert lifted[1].passage == 1


def test_today_s_ranking_is_what_it_starts_from_and_equal_scores_do_not_undo_the_order() -> None:
    vectors = EMBEDDER.encode([NEW])
    as_it_is = Reranker((1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert index().search_ids([NEW], vectors, k=6, reranker=as_it_is) == index().search_ids([NEW], vectors, k=6)
    upside_down = Reranker((-1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    [candidates] = index().candidates([NEW], vectors)
    tied = dict.fromkeys(candidates.ids, 0.01)
    assert list(upside_down.deal(candidates, tied)) == [
        candidates.ids[place] for place in np.argsort(candidates.features[:, 0], kind="stable")
    ]


def test_without_a_right_passage_among_the_candidates_nothing_is_learned_and_little_evidence_moves_little() -> None:
    features = np.random.default_rng(0).normal(size=(8, len(FEATURES)))
    seen = Candidates(tuple(range(8)), features)
    assert train_reranker([seen], [(99,)]) is None
    assert train_reranker([seen], [tuple(range(8))]) is None  # all are right: there is nothing to tell apart
    alike = Candidates(tuple(range(8)), np.zeros((8, len(FEATURES))))
    reranker = train_reranker([alike] * 30, [(2,)] * 30)
    assert reranker is not None
    assert reranker.weights == pytest.approx((1.0, 0.0, 0.0, 0.0, 0.0, 0.0))


def test_what_is_learned_is_the_minimum_of_the_loss() -> None:
    chance = np.random.default_rng(1)
    shown = [Candidates(tuple(range(12)), chance.normal(size=(12, len(FEATURES)))) for _ in range(40)]
    right = [(int(np.argmax(one.features[:, 5] + 0.5 * chance.normal(size=12))), 3) for one in shown]
    reranker = train_reranker(shown, right)
    assert reranker is not None

    def loss(weights: np.ndarray) -> float:
        found = []
        for one, rights in zip(shown, right, strict=True):
            scores = one.features @ weights
            wrong = np.delete(scores, list(rights))
            found += [np.log1p(np.exp(wrong - scores[place]).sum()) for place in sorted(set(rights))]
        away = weights - np.array([1.0, 0, 0, 0, 0, 0])
        return float(np.mean(found) + 0.01 * away @ away)

    best = np.array(reranker.weights)
    assert all(loss(best) < loss(best + step) for step in 1e-3 * chance.normal(size=(50, len(FEATURES))))


def test_a_passage_is_no_neighbour_of_its_own() -> None:
    features = features_of(
        fused=[0.5, 0.4], question=np.array([1, 0], dtype=np.float32), vectors=np.eye(2, dtype=np.float32),
        words=np.zeros(2, dtype=np.float32), titles=[0.0, 0.0],
    )  # fmt: skip
    assert features[:, FEATURES.index("cosine")].tolist() == [1.0, -1.0]
    assert features[:, FEATURES.index("neighbours")].tolist() == [-1.0, 1.0]


def test_one_passage_alone_and_passages_all_alike_have_features_without_a_warning() -> None:
    one = np.ones((1, 4), dtype=np.float32) / 2
    for count in (1, 3):
        features = features_of(
            fused=[0.5] * count, question=one[0], vectors=np.repeat(one, count, axis=0),
            words=np.zeros(count, dtype=np.float32), titles=[0.0] * count,
        )  # fmt: skip
        assert features.tolist() == [[0.0] * len(FEATURES)] * count
