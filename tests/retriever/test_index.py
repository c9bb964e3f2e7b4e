"""Hybrid search: finds by words and by nearness, changes without a rebuild, comes back from disk or says why not."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.embedder import HashEmbedder
from retriever.index import HybridIndex, passage_text
from retriever.types import Passage, RetrieverError

EMBEDDER = HashEmbedder()
TEXTS = [
    "The Blue Door opens at noon and closes at midnight.",
    "Harbour Kitchen serves oysters, mussels and fried fish.",
    "Parking is free behind the station after six.",
    "Children eat for half the price on Sundays.",
    "The terrace of Green Fork is heated in winter.",
    "Card payments are accepted everywhere but at the kiosk.",
]
KINDS = [300_000, 2]  # the passage count above which HNSW is used: flat and HNSW


def passages(texts: list[str], *, first: int = 10) -> list[Passage]:
    return [Passage(first + number, text, title=f"Note {number}") for number, text in enumerate(texts)]


def vectors(items: list[Passage]) -> np.ndarray:
    return EMBEDDER.encode([passage_text(passage) for passage in items])


def built(items: list[Passage], **options: int) -> HybridIndex:
    return HybridIndex.build(items, vectors(items), embedder_identity=EMBEDDER.identity, **options)  # type: ignore[arg-type]


def found(index: HybridIndex, question: str, *, k: int = 10) -> list[int]:
    return [hit.passage for hit in index.search(question, EMBEDDER.encode([question])[0], k=k)]


@pytest.mark.parametrize("hnsw_above", KINDS)
def test_it_finds_the_passage_and_names_the_words_that_matched(hnsw_above: int) -> None:
    index = built(passages(TEXTS), hnsw_above=hnsw_above)
    question = "Where is the parking free?"
    hits = index.search(question, EMBEDDER.encode([question])[0], k=3)
    assert (hits[0].passage, hits[0].rank, hits[0].terms) == (12, 1, ("parking", "free"))
    assert hits[0].score == pytest.approx(1.0)
    assert all(1 >= one.score >= two.score > 0 for one, two in pairwise(hits))
    assert hits[0].dense_score == pytest.approx(
        float(vectors(passages(TEXTS))[2] @ EMBEDDER.encode([question])[0]), abs=1e-5
    )


def test_words_alone_can_bring_a_passage_that_its_vector_would_not() -> None:
    items = passages([f"Filler text number {number}." for number in range(150)] + ["The xylograph is upstairs."])
    away = vectors(items)
    away[-1] = -EMBEDDER.encode(["xylograph"])[0]
    index = HybridIndex.build(items, away, embedder_identity=EMBEDDER.identity)
    assert 160 in found(index, "xylograph", k=5)


def test_matched_terms_see_through_endings_and_leave_out_stop_words() -> None:
    index = built(passages(["Two restaurants are open."]))
    question = "Which restaurant's opening is it?"
    assert index.search(question, EMBEDDER.encode([question])[0], k=1)[0].terms == ("restaurant's", "opening")


def test_one_search_and_many_agree() -> None:
    index = built(passages(TEXTS))
    questions = ["Is there fried fish?", "winter terrace", "the", ""]
    many = index.search_many(questions, EMBEDDER.encode(questions), k=4)
    assert many == [index.search(question, EMBEDDER.encode([question])[0], k=4) for question in questions]
    assert all(len(hits) == 4 for hits in many)


def test_word_scores_are_those_of_bm25s() -> None:
    import bm25s

    corpus = [["harbour"], ["harbour", "kitchen", "harbour"], ["station"], [], ["kitchen"] * 5 + ["fork"]]
    index = HybridIndex.build(
        [Passage(number, " ".join(words)) for number, words in enumerate(corpus)],
        EMBEDDER.encode([" ".join(words) for words in corpus]),
        embedder_identity=EMBEDDER.identity,
    )
    reference = bm25s.BM25()
    reference.index(
        [["harbour"], ["harbour", "kitchen", "harbour"], ["station"], [], ["kitchen"] * 5 + ["fork"]],
        show_progress=False,
    )
    expected = reference.get_scores(["harbour", "kitchen"])
    ours = dict(index.search_words("harbour kitchen", k=5))
    assert ours == pytest.approx({number: float(expected[number]) for number in (0, 1, 4)}, rel=1e-5)


@pytest.mark.parametrize("hnsw_above", KINDS)
def test_added_passages_are_found_and_removed_ones_never(hnsw_above: int) -> None:
    items = passages(TEXTS)
    index = built(items[:4], hnsw_above=hnsw_above)
    index.add(items[4:], vectors(items[4:]))
    assert found(index, "heated terrace in winter")[0] == 14
    index.remove([14, 999])
    assert 14 not in found(index, "heated terrace in winter")
    assert index.ids == [10, 11, 12, 13, 15]
    assert len(index) == 5
    index.add(items[4:5], vectors(items[4:5]))
    assert found(index, "heated terrace in winter")[0] == 14


def test_removed_passages_leave_room_for_k_others() -> None:
    items = passages([f"Oyster dish number {number}" for number in range(60)])
    index = built(items, hnsw_above=30)
    index.remove([passage.id for passage in items[:5]])
    assert len(found(index, "oyster dish", k=40)) == 40
    index.add(items[:1], vectors(items[:1]))
    assert found(index, "oyster dish number 0", k=1) == [items[0].id]


@pytest.mark.parametrize("hnsw_above", KINDS)
def test_an_index_changed_step_by_step_ranks_like_one_built_at_once(hnsw_above: int, tmp_path: Path) -> None:
    items = passages(TEXTS)
    changed = built(items[:3], hnsw_above=hnsw_above)
    changed.remove([11])
    changed.add(items[3:], vectors(items[3:]))
    changed.remove([15])
    changed.save(tmp_path)
    whole = built([item for item in items if item.id not in (11, 15)], hnsw_above=hnsw_above)
    questions = ["When does the Blue Door open?", "free parking", "half price children"]
    for one, two in zip(
        changed.search_many(questions, EMBEDDER.encode(questions), k=4),
        whole.search_many(questions, EMBEDDER.encode(questions), k=4),
        strict=True,
    ):
        assert [hit.passage for hit in one] == [hit.passage for hit in two]
        assert [hit.bm25_score for hit in one] == pytest.approx([hit.bm25_score for hit in two])


def test_a_flat_index_that_outgrows_the_limit_becomes_hnsw_and_loses_nothing() -> None:
    items = passages(TEXTS)
    index = built(items[:2], hnsw_above=4)
    assert index.kind == "flat"
    index.add(items[2:], vectors(items[2:]))
    assert index.kind == "hnsw"
    assert sorted(found(index, "noon and midnight")) == [passage.id for passage in items]


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 11), max_size=6)), max_size=8), hnsw=st.booleans()
)
def test_whatever_was_added_and_removed_the_index_holds_exactly_the_rest(steps: list, hnsw: bool) -> None:
    items = passages(TEXTS * 2, first=0)
    rows = vectors(items)
    index = HybridIndex.build([], rows[:0], embedder_identity=EMBEDDER.identity, hnsw_above=3 if hnsw else 100)
    held: set[int] = set()
    for adding, ids in steps:
        chosen = sorted(ids - held) if adding else sorted(ids)
        if adding:
            index.add([items[id] for id in chosen], rows[chosen])
            held |= set(chosen)
        else:
            index.remove(chosen)
            held -= set(chosen)
        assert set(index.ids) == held
        assert set(found(index, "Parking is free", k=20)) == held


@pytest.mark.parametrize("hnsw_above", KINDS)
def test_a_saved_index_answers_as_before_and_holds_no_pickle(hnsw_above: int, tmp_path: Path) -> None:
    index = built([*passages(TEXTS), Passage(99, "Line\u2028break \u20ac", title="é")], hnsw_above=hnsw_above)
    index.save(tmp_path)
    again = HybridIndex.load(tmp_path, embedder_identity=EMBEDDER.identity)
    questions = ["free parking", "fish", "line break"]
    encoded = EMBEDDER.encode(questions)
    assert again.search_many(questions, encoded, k=5) == index.search_many(questions, encoded, k=5)
    assert [again.passage(id) for id in again.ids] == [index.passage(id) for id in index.ids]
    names = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {".json", ".jsonl", ".npy", ".faiss"}
    for path in tmp_path.rglob("*.npy"):
        np.load(path, allow_pickle=False)


def test_an_empty_index_is_searched_saved_and_loaded(tmp_path: Path) -> None:
    built([]).save(tmp_path)
    again = HybridIndex.load(tmp_path, embedder_identity=EMBEDDER.identity)
    assert found(again, "anything") == []
    again.add(passages(TEXTS), vectors(passages(TEXTS)))
    assert found(again, "fried fish")[0] == 11


def test_an_index_of_another_embedder_is_refused_with_the_command_that_rebuilds_it(tmp_path: Path) -> None:
    built(passages(TEXTS)).save(tmp_path)
    with pytest.raises(
        RetrieverError, match=r"hash@256, but minilm@53aa is in use; rebuild it with `errata index PROJECT`"
    ):
        HybridIndex.load(tmp_path, embedder_identity="minilm@53aa")


@pytest.mark.parametrize(
    "name", ["vectors.faiss", "passages.jsonl", "tokens.npy", "bm25/data.csc.index.npy", "vocabulary.json"]
)
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_file_is_refused_before_it_is_used(name: str, damage: str, tmp_path: Path) -> None:
    built(passages(TEXTS)).save(tmp_path)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with pytest.raises(RetrieverError, match=r"`errata index PROJECT`") as caught:
        HybridIndex.load(tmp_path, embedder_identity=EMBEDDER.identity)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 99}', None])
def test_a_folder_that_is_no_index_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(RetrieverError, match=r"`errata index PROJECT`"):
        HybridIndex.load(tmp_path, embedder_identity=EMBEDDER.identity)


def test_parts_of_two_indexes_are_not_taken_for_one(tmp_path: Path) -> None:
    for name, texts in (("one", TEXTS), ("two", TEXTS[:5])):
        (tmp_path / name).mkdir()
        built(passages(texts)).save(tmp_path / name)
    (tmp_path / "one" / "vectors.faiss").write_bytes((tmp_path / "two" / "vectors.faiss").read_bytes())
    about, other = (json.loads((tmp_path / name / "index.json").read_text()) for name in ("one", "two"))
    about["files"]["vectors.faiss"] = other["files"]["vectors.faiss"]
    (tmp_path / "one" / "index.json").write_text(json.dumps(about))
    with pytest.raises(RetrieverError, match="do not belong together"):
        HybridIndex.load(tmp_path / "one", embedder_identity=EMBEDDER.identity)


def test_it_refuses_repeated_ids_and_vectors_that_do_not_fit() -> None:
    items = passages(TEXTS)
    index = built(items)
    with pytest.raises(RetrieverError, match="in the index already"):
        index.add(items[:1], vectors(items[:1]))
    with pytest.raises(RetrieverError, match=r"\(1, 256\) were expected"):
        index.add([Passage(1, "new")], np.zeros((1, 3), dtype=np.float32))
    with pytest.raises(RetrieverError, match="not a number"):
        index.add([Passage(1, "new")], np.full((1, 256), np.nan, dtype=np.float32))
    with pytest.raises(RetrieverError, match="own embedder"):
        index.search("fish", np.zeros(3, dtype=np.float32), k=1)
    assert len(index) == len(items)


def test_a_full_disk_is_an_error_and_not_a_short_file(tmp_path: Path) -> None:
    index = built(passages(TEXTS))
    (tmp_path / "vectors.faiss").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        index.save(tmp_path)


def test_building_reports_progress_and_a_report_can_stop_it() -> None:
    class Stopped(Exception):
        pass

    def stop(fraction: float, _message: str) -> None:
        if fraction >= 0.5:
            raise Stopped

    seen: list[float] = []
    items = passages(TEXTS)
    HybridIndex.build(
        items, vectors(items), embedder_identity="x", report=lambda fraction, _message: seen.append(fraction)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    with pytest.raises(Stopped):
        HybridIndex.build(items, vectors(items), embedder_identity="x", report=stop)
