"""What labels add to a ranking: no score falls below 0, and what they lower alike keeps its order."""

from retriever.fusion import MOST, lifted
from retriever.memory import Lift

HELD = {1: 0, 2: 1, 3: 2, 4: 3}


def test_a_passage_is_lowered_to_0_at_most() -> None:
    assert lifted({1: 0.5 * MOST, 2: 0.01}, {1: Lift(-1.0, 7)}, held=HELD) == [(2, 0.01), (1, 0.0)]


def test_passages_lowered_to_0_alike_keep_the_order_of_the_ranking_and_a_surer_rejection_comes_last() -> None:
    ranked = {4: 0.8 * MOST, 3: 0.7 * MOST, 1: 0.6 * MOST, 2: 0.1 * MOST}
    lifts = {1: Lift(-0.9, 5), 3: Lift(-0.9, 6), 4: Lift(-1.0, 7)}
    assert lifted(ranked, lifts, held=HELD) == [(2, 0.1 * MOST), (3, 0.0), (1, 0.0), (4, 0.0)]
