"""The gate: what it promotes, what it holds, and what it says."""

import re
from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from tests.webapp.evaluated import make_iteration
from webapp.db import write
from webapp.iterations.gate import Evidence, Gate, Latency, Measured, Refused, decide
from webapp.iterations.watched import Watched
from webapp.models import Iteration, Project

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


def test_how_many_more_questions_it_takes_is_said_only_where_somebody_could_write_them():
    before, after = [0.0, 1.0] * 200, [1.0, 0.0] * 196 + [0.0, 1.0] * 3 + [1.0, 1.0]
    assert gate(measured(before), measured(after)).reasons[-1] == (
        "A difference this small could not be told from chance with 10,000 more test questions."
    )
    few = [1.0, 0.0] * 9 + [0.0, 1.001]
    assert gate(measured([0.0, 1.0] * 10), measured(few)).reasons[-1] == (
        "20 test questions are few, and a difference this small could not be told from chance with 10,000 more test questions."
    )
    after = [1.0, 0.0] * 100 + [0.0, 1.0] * 90 + [1.0, 1.0] * 10
    said = gate(measured(before), measured(after)).reasons[-1]
    assert re.fullmatch(
        r"To be sure of a difference of this size would take about \d,\d{3} more test questions\.", said
    )


BETTER = (measured([0.0] * 40), measured([1.0] * 30 + [0.0] * 10))


def with_evidence(evidence: Evidence, pair: tuple[Measured, Measured] = BETTER) -> Gate:
    return decide(*pair, metric="f1", names=NAMES, guards={}, evidence=evidence)


def test_a_slice_that_fell_beyond_noise_asks_though_the_whole_rose():
    lost = Watched("F1 on corrected questions", [1.0] * 20, [1.0] * 8 + [0.0] * 12, against="release 4")
    decision = with_evidence(Evidence([lost]))
    assert decision.decision == "ask"
    said = " ".join(decision.reasons)
    assert (
        "F1 on corrected questions fell from 100.0 % to 40.0 % against release 4 (20 questions; 95 % interval -8"
        in said
    )
    assert "an engineer decides" in said


def test_a_slice_that_fell_within_noise_does_not_ask_unless_the_project_forgives_no_chance():
    lost = Watched("F1 on corrected questions", [1.0] * 6 + [0.0] * 14, [1.0] * 4 + [0.0] * 15 + [1.0])
    assert with_evidence(Evidence([lost])).decision == "promote"
    further = Watched("F1 on corrected questions", [1.0] * 6 + [0.0] * 14, [1.0] * 3 + [0.0] * 16 + [1.0])
    assert with_evidence(Evidence([further])).decision == "promote"
    assert with_evidence(Evidence([further], noise=0.0)).decision == "ask"


def test_of_a_hundred_fixed_questions_no_fall_of_more_than_a_point_is_put_down_to_chance():
    def fell(questions: int, lost: int, **values: str) -> Watched:
        before = [1.0] * 60 + [0.0] * (questions - 60)
        gained = lost - 2  # two in all
        return Watched("F1 on answerable questions", before, [0.0] * lost + before[lost:60] + [1.0] * gained + [0.0] * (questions - 60 - gained), **values)  # fmt: skip

    asked = with_evidence(Evidence([fell(100, 12)]))
    assert asked.decision == "ask"
    assert "fell from 60.0 % to 58.0 % against the model in service" in " ".join(asked.reasons)
    assert "points), more than one point." in " ".join(asked.reasons)
    for forgiven in (fell(99, 12), fell(201, 12), fell(100, 12, kind="best"), fell(100, 12, split="rolling")):
        assert with_evidence(Evidence([forgiven])).decision == "promote"


def test_a_loss_against_the_best_champion_is_told_as_one_beyond_noise_and_of_fixed_questions(
    client: FlaskClient, project: Project
):
    lost = Watched("F1 on imported questions", [1.0] * 120, [1.0] * 90 + [0.0] * 30, kind="best", against="release 4")
    asked = with_evidence(Evidence([lost]))
    assert asked.decision == "ask"
    assert "more than one point beyond noise." in " ".join(asked.reasons)
    iteration, _ = make_iteration(project, 1)
    with write() as session:
        session.execute(update(Iteration).where(Iteration.id == iteration).values(gate=asked.to_json()))
    page = client.get(f"/p/{project.id}/iterations/1").text
    assert 'F1 on imported questions <span class="tag">fixed</span>' in page


def test_a_loss_that_decided_nothing_is_told_all_the_same():
    lost = Watched("F1 on questions without an answer", [1.0] * 36, [1.0] * 35 + [0.0], kind="guard", split="all")
    kept = Watched("F1 on answerable questions", [0.0] * 36, [1.0] * 36, kind="guard", split="all")
    decided = with_evidence(Evidence([lost, kept]))
    assert decided.decision == "promote"
    assert "F1 on questions without an answer: 100.0 % before, 97.2 % after, 36 questions." in decided.reasons
    assert not any("answerable questions" in one for one in decided.reasons)


def test_a_slice_of_a_few_questions_never_asks():
    lost = Watched("F1 on imported questions", [1.0] * 9, [0.0] * 9)
    assert with_evidence(Evidence([lost])).decision == "promote"


def test_a_guard_whose_loss_may_be_large_asks():
    lost = Watched("F1 on answerable questions", [1.0] * 20 + [0.0] * 20, [1.0] * 17 + [0.0] * 22 + [1.0], kind="guard")
    assert with_evidence(Evidence([lost])).decision == "ask"
    kept = Watched("F1 on answerable questions", [1.0] * 20 + [0.0] * 20, [1.0] * 19 + [0.0] * 21, kind="guard")
    assert with_evidence(Evidence([kept])).decision == "promote"  # one question's worth


def test_retrieval_that_surely_fell_holds_and_that_may_have_asks():
    sure = Watched("Right passage among the first five", [1.0] * 30, [1.0] * 15 + [0.0] * 15, kind="retrieval")
    assert with_evidence(Evidence([sure])).decision == "hold"
    mixed = Watched(
        "Right passage among the first five",
        [1.0] * 4 + [0.0] * 26,
        [0.0] * 4 + [1.0] * 2 + [0.0] * 24,
        kind="retrieval",
    )
    assert with_evidence(Evidence([mixed])).decision == "ask"


def test_a_better_retriever_with_an_answerer_no_better_asks():
    same = measured([1.0] * 20 + [0.0] * 20)
    found = Watched("Right passage among the first five", [0.0] * 30, [1.0] * 15 + [0.0] * 15, kind="retrieval")
    assert with_evidence(Evidence([found]), (same, same)).decision == "ask"
    assert with_evidence(Evidence(), (same, same)).decision == "hold"
    worse = measured([1.0] * 10 + [0.0] * 30)
    assert with_evidence(Evidence([found]), (same, worse)).decision == "hold"


def test_it_holds_a_candidate_that_abstains_more_and_says_how_much():
    decision = with_evidence(Evidence(refused=Refused(0.1, 0.4, 30, has_gained=False)))
    assert decision.decision == "hold"
    assert "abstains too often: 40.0 % of 30 answerable questions are refused, 10.0 % before" in " ".join(
        decision.reasons
    )
    assert with_evidence(Evidence(refused=Refused(0.1, 0.4, 30, has_gained=True))).decision == "ask"
    assert with_evidence(Evidence(refused=Refused(0.1, 0.2, 30, has_gained=False))).decision == "promote"


def test_a_slow_candidate_asks_only_when_it_is_surely_slow_and_noticeably():
    slow = Latency(0.1, 0.3, 20, 1.5, 2.0)
    assert with_evidence(Evidence(latency=slow)).decision == "ask"
    assert "300 ms for an answer where the model in service takes 100 ms" in " ".join(
        with_evidence(Evidence(latency=slow)).reasons
    )
    assert with_evidence(Evidence(latency=Latency(0.1, 0.3, 20, 1.5, 1.2))).decision == "promote"
    assert with_evidence(Evidence(latency=Latency(0.001, 0.01, 20, 1.5, 5.0))).decision == "promote"


def test_a_doubt_never_turns_a_held_candidate_into_a_question():
    worse = (BETTER[1], BETTER[0])
    assert with_evidence(Evidence(latency=Latency(0.1, 0.3, 20, 1.5, 2.0)), worse).decision == "hold"


def test_a_candidate_compared_with_another_model_than_the_one_in_service_asks():
    decision = decide(*BETTER, metric="f1", names=NAMES, guards={})
    assert decision.unless(4).decision == "ask"
    assert "Release 4 was put into service after the comparison began" in decision.unless(4).reasons[1]
    held = decide(*BETTER[::-1], metric="f1", names=NAMES, guards={})
    assert held.unless(4) == held


NO_BETTER = (measured([1.0] * 20 + [0.0] * 20), measured([1.0] * 20 + [0.0] * 20))
FOUND = Watched("Right passage among the first five", [0.0] * 30, [1.0] * 15 + [0.0] * 15, kind="retrieval")
LOST = Watched("F1 on corrected questions", [1.0] * 20, [1.0] * 8 + [0.0] * 12)
CHANCE = (measured([0.0] * 20), measured([1.0] * 6 + [-1.0] * 5 + [0.0] * 9))
LOSING_CHANCE = (measured(CHANCE[0].each, answerable_f1=0.9), measured(CHANCE[1].each, answerable_f1=0.4))
LOSING = (measured(BETTER[0].each, answerable_f1=0.9), measured(BETTER[1].each, answerable_f1=0.4))
REFUSING = Evidence(refused=Refused(0.1, 0.4, 30, has_gained=False))
SURELY_LATER = Watched("Right passage among the first five", [1.0] * 30, [1.0] * 15 + [0.0] * 15, kind="retrieval")
EARLIER = Watched("Mean reciprocal rank of the right passage", [0.2] * 30, [0.2] * 15 + [0.5] * 15, kind="retrieval")
SURE_ENOUGH = (measured([0.0] * 6 + [1.0] * 4 + [0.0] * 290), measured([1.0] * 6 + [0.0] * 294))
TINY = (measured([0.5] * 40), measured([0.5004] * 40))
LIKELY = (measured([0.0] * 100), measured([1.0] + [0.0] * 99))
ON = "on 40 test questions"


@pytest.mark.parametrize(
    ("gate", "tag", "said"),
    [
        (with_evidence(Evidence()), "promoted", f"Yes: F1 rose by 75.0 points {ON}, and nothing speaks against it, so the gate promoted it."),
        (with_evidence(Evidence(), LIKELY), "promoted", "Probably: F1 rose by 1.0 points on 100 test questions, and nothing speaks"),
        (with_evidence(Evidence(), BETTER[::-1]), "held back", f"No: F1 fell by 75.0 points {ON}, so the gate held it back."),
        (with_evidence(Evidence(), NO_BETTER), "held back", f"No: F1 stayed the same {ON}, so"),
        (with_evidence(Evidence(), CHANCE), "held back", "Perhaps: F1 rose by 5.0 points on 20 test questions, which may be chance, so"),
        (gate(*LOSING_CHANCE, answerable=20), "held back", "No: F1 rose by 5.0 points on 20 test questions, which may be chance, and it lost too much elsewhere, so"),
        (with_evidence(REFUSING, CHANCE), "held back", "No: F1 rose by 5.0 points on 20 test questions, which may be chance, and it refuses too many questions that have an answer, so"),
        (gate(*LOSING, answerable=40), "held back", f"Not on the whole: F1 rose by 75.0 points {ON}, but it lost too much elsewhere, so"),
        (with_evidence(Evidence([SURELY_LATER])), "held back", f"Not on the whole: F1 rose by 75.0 points {ON}, but it lost too much elsewhere, so"),
        (with_evidence(REFUSING), "held back", f"Not on the whole: F1 rose by 75.0 points {ON}, but it refuses too many questions that have an answer, so"),
        (with_evidence(REFUSING, SURE_ENOUGH), "held back", "Not on the whole: F1 rose by 0.7 points on 300 test questions, but it refuses"),
        (with_evidence(Evidence([LOST]), SURE_ENOUGH), "a person decides", "In part: F1 rose by 0.7 points on 300 test questions, but not everything"),
        (with_evidence(Evidence(), TINY), "promoted", f"Yes: F1 rose by less than 0.1 points {ON}, and nothing speaks"),
        (with_evidence(Evidence(), TINY[::-1]), "held back", f"No: F1 fell by less than 0.1 points {ON}, so"),
        (with_evidence(Evidence([LOST])), "a person decides", f"In part: F1 rose by 75.0 points {ON}, but not everything speaks for it, so the gate left it to a person."),
        (with_evidence(Evidence([FOUND]), NO_BETTER), "a person decides", "In part: the right passage is found more often, but F1 stayed the same"),
        (with_evidence(Evidence([EARLIER]), NO_BETTER), "a person decides", "In part: the right passage comes earlier, but F1 stayed the same"),
        (with_evidence(Evidence([FOUND, EARLIER]), NO_BETTER), "a person decides", "In part: the right passage is found more often, but F1 stayed the same"),
        (with_evidence(Evidence()).unless(4), "a person decides", f"Nobody can tell yet: F1 rose by 75.0 points {ON}, but release 4 went into service since, so the gate left it to a person."),
        (gate(measured([]), measured([])), "held back", "Nobody can tell: there is no test question to compare them on, so the gate held it back."),
        (gate(measured([]), measured([])).after_practice(), "a person decides", "Nobody can tell: there is no test question to compare them on, so the gate left it"),
    ],
)  # fmt: skip
def test_the_iterations_page_begins_with_the_answer_to_the_gates_question(
    client: FlaskClient, project: Project, gate: Gate, tag: str, said: str
):
    iteration, _ = make_iteration(project, 1)
    with write() as session:
        session.execute(update(Iteration).where(Iteration.id == iteration).values(gate=gate.to_json()))
    page = client.get(f"/p/{project.id}/iterations/1").text
    assert card_of(page).startswith(f"Gate is it better than the model in service? {tag} {said}")


def card_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index(">Gate<") + 1 :]).split())


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (gate(*LOSING, answerable=40), "but it lost too much elsewhere, so"),
        (with_evidence(REFUSING), "but it refuses too many questions that have an answer, so"),
        (with_evidence(Evidence()).unless(4), "but not everything speaks for it, so"),
    ],
)
def test_a_gate_kept_before_it_told_what_was_lost_or_overtaken_still_has_its_answer(
    client: FlaskClient, project: Project, gate: Gate, said: str
):
    iteration, _ = make_iteration(project, 1)
    kept = {key: value for key, value in gate.to_json().items() if key not in ("has_lost", "overtaken_by")}
    with write() as session:
        session.execute(update(Iteration).where(Iteration.id == iteration).values(gate=kept))
    assert f"F1 rose by 75.0 points {ON}, {said}" in card_of(client.get(f"/p/{project.id}/iterations/1").text)
