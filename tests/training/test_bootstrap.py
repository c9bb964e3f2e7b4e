"""The paired bootstrap against figures that can be worked out by hand."""

import math

import pytest

from training.bootstrap import paired_interval, questions_needed


def test_a_constant_gain_has_an_interval_of_no_width() -> None:
    interval = paired_interval([0.0, 0.2, 0.4], [0.5, 0.7, 0.9])
    assert (interval.difference, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))


def test_it_agrees_with_the_normal_interval_on_many_questions() -> None:
    after = [float(i % 2) for i in range(1000)]  # mean 0.5, standard deviation 0.5
    interval = paired_interval([0.0] * 1000, after)
    half = 1.96 * 0.5 / math.sqrt(1000)
    assert interval.low == pytest.approx(0.5 - half, abs=0.003)
    assert interval.high == pytest.approx(0.5 + half, abs=0.003)


def test_it_pairs_question_with_question() -> None:
    hard_and_easy = [0.0, 1.0] * 50
    same = paired_interval(hard_and_easy, hard_and_easy)
    assert (same.low, same.high) == (0.0, 0.0)  # unpaired resampling would give a wide interval here


def test_the_seed_fixes_the_interval() -> None:
    before, after = [0.0] * 97, [(i * i % 89) / 89 for i in range(97)]
    assert paired_interval(before, after, seed=3) == paired_interval(before, after, seed=3)
    assert paired_interval(before, after, seed=3) != paired_interval(before, after, seed=4)


def test_it_keeps_memory_small_on_many_questions_and_still_uses_every_resample() -> None:
    interval = paired_interval([0.0] * 30_000, [1.0] * 30_000, resamples=300)
    assert interval.low == interval.high == 1.0


def test_no_questions_give_no_width_and_no_crash() -> None:
    assert paired_interval([], []).n == 0


def test_it_refuses_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="got 1 and 2"):
        paired_interval([0.0], [0.0, 1.0])


def test_a_noisy_small_gain_needs_more_questions_than_a_clear_one() -> None:
    noisy = questions_needed([0.0] * 10, [1, -1, 1, -1, 1, 0, 0, 0, 0, 0])
    clear = questions_needed([0.0] * 10, [1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    assert noisy is not None
    assert clear is not None
    assert noisy > 100 > clear >= 10


def test_the_need_is_unknown_without_spread_or_difference() -> None:
    assert questions_needed([0.0], [1.0]) is None
    assert questions_needed([0.0, 0.0], [1.0, 1.0]) is None
    assert questions_needed([0.0, 0.0], [1.0, -1.0]) is None
