"""Ranking metrics on rankings worked out by hand."""

import pytest

from retriever.evaluate import hit_at, ndcg, recall_at, reciprocal_rank


def test_recall_is_the_share_of_the_relevant_that_came() -> None:
    assert recall_at(["a", "b", "c"], {"a", "c", "z"}, 2) == pytest.approx(1 / 3)
    assert recall_at(["a", "b", "c"], {"a", "c", "z"}, 3) == pytest.approx(2 / 3)
    assert recall_at(["a"], set(), 1) == 0.0


def test_a_hit_is_any_relevant_one() -> None:
    assert hit_at(["a", "b"], {"b", "z"}, 2) == 1.0
    assert hit_at(["a", "b"], {"b", "z"}, 1) == 0.0


def test_reciprocal_rank_looks_no_further_than_k() -> None:
    assert reciprocal_rank([4, 7, 9], {9, 7}) == 0.5
    assert reciprocal_rank([4, 7, 9], {9}, k=2) == 0.0


def test_ndcg_on_the_example_of_its_authors() -> None:
    # Järvelin and Kekäläinen's gains 3, 2, 3, 0, 1, 2 with two more relevant documents (3 and 2) not found.
    grades = {"d1": 3, "d2": 2, "d3": 3, "d5": 1, "d6": 2, "d7": 3, "d8": 2}
    assert ndcg(["d1", "d2", "d3", "d4", "d5", "d6"], grades, k=6) == pytest.approx(0.785, abs=0.001)
    assert ndcg(["d1", "d3", "d7", "d2", "d6", "d8", "d5"], grades) == pytest.approx(1.0)
    assert ndcg(["x"], {}) == 0.0
