"""How often people agree with the model when they see its answer, and when they do not."""

import pytest
from flask.testing import FlaskClient

from tests.webapp.queue_rows import add_queue, decide, set_project, take
from webapp.label.agreement import Agreement, Share, agrees
from webapp.models import Project

SAID = "Yes, dogs are welcome at Kavo Bistro."


@pytest.mark.parametrize(
    ("verdict", "reason", "text", "said", "expected"),
    [
        ("accept", None, SAID, SAID, True),
        ("accept", None, "", "", True),
        ("correct", None, "dogs are welcome", "Yes, dogs are welcome.", True),
        ("correct", None, "on Sundays", "Yes, dogs are welcome.", False),
        ("correct", None, "on Sundays", "", False),
        ("reject", "unanswerable", "", "", True),
        ("reject", "unanswerable", "", SAID, False),
        ("reject", "wrong_passage", "", "", True),
        ("reject", "wrong_answer", "", SAID, False),
        ("reject", "wrong_answer", "", "", False),
    ],
)
def test_agreeing_is_one_rule_for_seen_and_blind(
    verdict: str, reason: str | None, text: str, said: str, expected: bool
) -> None:
    assert agrees(verdict, reason, text, said=said, is_answered=bool(said)) is expected


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = Share(15, 20).interval
    assert (round(low, 3), round(high, 3)) == (0.531, 0.888)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_the_interval_of_the_difference_is_newcombes() -> None:
    """The worked example of Newcombe (1998), table II: 56/70 against 48/80 gives 0.0524 to 0.3339."""
    gap, low, high = Agreement(seen=Share(56, 70), blind=Share(48, 80)).difference
    assert (round(gap, 2), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)


def test_the_sentence_says_what_the_interval_allows() -> None:
    assert "leads people to agree" in Agreement(Share(90, 100), Share(20, 40)).sentence
    assert "cannot be told from this" in Agreement(Share(90, 100), Share(18, 20)).sentence
    assert "disagree more" in Agreement(Share(20, 100), Share(38, 40)).sentence


def test_the_labels_page_says_too_few_until_there_are_enough(client: FlaskClient, project: Project) -> None:
    add_queue(project, 41, answer=SAID)
    assert 'id="agreement"' not in client.get(f"/p/{project.id}/labels").text
    for _ in range(20):
        question, form = take(client, project)
        decide(client, project, question, form, "accept")
    set_project(project, blind=1)
    for number in range(20):
        page = client.get(f"/p/{project.id}/labels").text
        assert (
            f"cannot be told yet: that takes at least 20 labels made with it in sight (20 so far) and 20 without ({number} so far)"
            in page
        )
        question, form = take(client, project)
        decide(client, project, question, form, "correct", text="Yes, dogs are welcome." if number < 5 else "Never.")
    page = client.get(f"/p/{project.id}/labels").text
    assert "on 100 % (20 of 20) when they see its answer, 25 % (5 of 20) when they do not: +75 points" in page
