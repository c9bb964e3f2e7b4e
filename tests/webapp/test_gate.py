"""The gate: what it promotes, what it holds, and what it says."""

from collections.abc import Sequence

from webapp.iterations.gate import Gate, Measured, decide

NAMES = {"f1": "F1", "unanswerable_accuracy": "Unanswerable recognised", "answerable_f1": "F1 on answerable questions"}


def measured(each: Sequence[float], **metrics: float) -> Measured:
    return Measured({"f1": sum(each) / len(each) if each else 0.0, **metrics}, each)


def gate(before: Measured, after: Measured, *, unanswerable: int = 0, answerable: int = 0) -> Gate:
    guards = {"answerable_f1": (0.05, answerable), "unanswerable_accuracy": (0.10, unanswerable)}
    return decide(before, after, metric="f1", names=NAMES, guards=guards)


def test_it_promotes_a_clear_gain_and_gives_the_figures():
    decision = gate(measured([0.0] * 40), measured([1.0] * 30 + [0.0] * 10))
    assert decision.decision == "promote"
    assert decision.reasons[0].startswith(
        "F1 went from 0.0 % to 75.0 % on 40 test questions (+75.0 points; 95 % interval +6"
    )
    assert decision.interval.low > 0.5


def test_it_holds_a_worse_candidate():
    decision = gate(measured([1.0] * 40), measured([1.0] * 30 + [0.0] * 10))
    assert decision.decision == "hold"
    assert "worse than the model in service" in decision.reasons[1]


def test_it_holds_a_candidate_that_is_the_same():
    assert gate(measured([0.5] * 40), measured([0.5] * 40)).decision == "hold"


def test_it_holds_a_gain_that_may_be_chance_and_says_how_many_more_questions_it_would_take():
    after = [1.0] * 6 + [-1.0] * 5 + [0.0] * 9
    decision = gate(measured([0.0] * 20), measured(after))
    assert decision.decision == "hold"
    assert "may be chance" in decision.reasons[1]
    assert decision.needed is not None
    assert decision.needed > 30
    assert f"about {decision.needed - 20} more would make" in decision.reasons[-1]


def test_it_holds_a_gain_bought_with_refusals_that_are_no_longer_recognised():
    before = measured([0.0] * 30 + [1.0] * 20, unanswerable_accuracy=1.0, answerable_f1=0.0)
    after = measured([1.0] * 30 + [1.0] * 12 + [0.0] * 8, unanswerable_accuracy=0.6, answerable_f1=1.0)
    decision = gate(before, after, unanswerable=20, answerable=30)
    assert decision.decision == "hold"
    assert "Unanswerable recognised fell from 100.0 % to 60.0 %" in " ".join(decision.reasons)


def test_it_holds_a_candidate_that_gains_by_refusing_everything():
    before = measured([0.9] * 10 + [0.0] * 30, unanswerable_accuracy=0.0, answerable_f1=0.9)
    after = measured([0.0] * 10 + [1.0] * 30, unanswerable_accuracy=1.0, answerable_f1=0.0)
    decision = gate(before, after, unanswerable=30, answerable=10)
    assert decision.decision == "hold"
    assert "F1 on answerable questions fell" in " ".join(decision.reasons)


def test_one_lost_question_of_a_small_group_does_not_hold_a_candidate():
    before = measured([0.0] * 30 + [1.0] * 3, unanswerable_accuracy=1.0)
    after = measured([1.0] * 30 + [1.0, 1.0, 0.0], unanswerable_accuracy=2 / 3)
    assert gate(before, after, unanswerable=3, answerable=30).decision == "promote"


def test_without_a_test_question_it_holds_and_says_what_to_do():
    decision = gate(measured([]), measured([]))
    assert decision.decision == "hold"
    assert "import gold questions, or promote by hand" in decision.reasons[0]


def test_few_test_questions_are_said_to_be_few():
    decision = gate(measured([0.0] * 5), measured([1.0] * 5))
    assert decision.decision == "promote"
    assert "about 25 more" in decision.reasons[-1]
