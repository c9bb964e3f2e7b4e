"""What was in service: each promotion and roll-back with who decided it and why, as the audit log has it."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from serving_kit import add_candidate, build_served
from sqlalchemy import update

from tests.webapp.evaluated import GATE, make_iteration
from webapp.db import write
from webapp.models import AuditEvent, Iteration, Person, Project, Release
from webapp.people.service import create_person
from webapp.releases import by_hand, history, service
from webapp.releases.service import GATE as GATE_ITSELF
from webapp.releases.service import release_or_404

REASON = "F1 went from 50.0 % to 60.0 % on 40 test questions."


@pytest.fixture
def served(app: Flask, tmp_path: Path) -> Project:
    return build_served(tmp_path)


def add_iteration(project: Project, number: int, decision: str) -> Release:
    """A finished iteration whose candidate could serve: release ``number`` + 1."""
    iteration, _ = make_iteration(project, number, decision=decision)
    with write() as session:
        session.query(Release).where(Release.iteration_id == iteration).delete()
        gate = {**GATE, "decision": decision, "reasons": [REASON]}
        session.execute(update(Iteration).where(Iteration.id == iteration).values(gate=gate))
    made = add_candidate(project, number=number)
    with write() as session:
        session.execute(update(Release).where(Release.id == made.id).values(iteration_id=iteration))
    return release_or_404(project, made.number)


def put(project: Project, release: Release, person: Person | None, reason: str, by: str = GATE_ITSELF) -> None:
    with write() as session:
        by_hand.promote(session, project, release, person=person, reason=reason, by=by)


def give_another_index(project: Project, release: Release) -> Release:
    """What an index update does: a release with the same model, put into service by Errata."""
    with write() as session:
        number = session.query(Release).where(Release.project_id == project.id).count() + 1
        again = Release(
            project_id=project.id, number=number, answerer_path=release.answerer_path, answerer_sha256=release.answerer_sha256,
            index_id=release.index_id, embedder="hash", sha256=f"{number}" * 64, reason="same model, new index: the corpus changed",
        )  # fmt: skip
        session.add(again)
    with write() as session:
        service.promote(session, project, again, reason=again.reason)
    return again


def age(project: Project) -> None:
    """The audit rows as they were before they said who decided, and whether it was a roll-back."""
    with write() as session:
        for event in session.query(AuditEvent).where(AuditEvent.action == "release.promote"):
            event.detail = {key: value for key, value in event.detail.items() if key not in ("by", "rollback")}


def told(project: Project) -> list[tuple[Any, ...]]:
    """Oldest first."""
    return [
        (one.release, one.iteration, one.by, one.is_rollback, one.overrules_gate)
        for one in reversed(history.promotions(project))
    ]


def test_every_change_tells_how_by_whom_and_why(served: Project, person: Person):
    put(served, add_iteration(served, 1, "promote"), None, REASON)
    put(served, add_iteration(served, 2, "hold"), person, "It refuses less.")
    by_hand.roll_back(served, person=person, reason="It invents prices.")
    by_hand.promote_today(served, release_or_404(served, 3), person=None, reason="Promoted from the command line.")
    expected = [
        (1, None, "Errata", False, False),
        (2, 1, "the gate", False, False),
        (3, 2, "Cy", False, True),
        (2, 1, "Cy", True, False),
        (3, 2, "the command line", False, True),
    ]
    assert told(served) == expected
    age(served)
    assert told(served) == expected
    newest = history.promotions(served)
    assert [one.reason for one in newest[:2]] == ["Promoted from the command line.", "It invents prices."]
    assert newest[-1].reason.startswith("first release")


def test_who_decided_is_known_whatever_the_reason_says(served: Project):
    candidate = add_iteration(served, 1, "promote")
    by_hand.promote_today(served, candidate, person=None, reason=candidate.reason)
    by_hand.roll_back(served, person=None, reason="Errata")
    by_hand.promote_today(served, release_or_404(served, 2), person=None, reason=REASON)
    assert {one.by for one in history.promotions(served)[:3]} == {"the command line"}
    assert all(one.is_by_hand for one in history.promotions(served)[:3])
    assert not history.promotions(served)[3].is_by_hand


def test_an_old_row_in_the_words_of_a_gate_that_held_back_was_a_command(served: Project):
    put(served, add_iteration(served, 1, "hold"), None, REASON)
    age(served)
    assert history.promotions(served)[0].by == "the command line"


def test_a_roll_back_is_one_whichever_number_it_goes_to_and_a_promotion_is_none(served: Project, person: Person):
    put(served, add_iteration(served, 1, "promote"), None, REASON)
    by_hand.roll_back(served, person=person, reason="Back.")
    by_hand.roll_back(served, person=person, reason="And forth.")
    by_hand.promote_today(served, release_or_404(served, 1), person=person, reason="The first was best.")
    assert [(one.release, one.is_rollback) for one in history.promotions(served)] == [
        (1, False), (2, True), (1, True), (2, False), (1, False),
    ]  # fmt: skip
    age(served)
    assert [one.is_rollback for one in history.promotions(served)] == [True, False, True, False, False]


def test_an_old_row_of_an_earlier_release_that_had_never_served_is_no_roll_back(served: Project, person: Person):
    held = add_iteration(served, 1, "hold")
    put(served, add_iteration(served, 2, "promote"), None, REASON)
    put(served, held, person, "It refuses less.")
    age(served)
    newest = history.promotions(served)[0]
    assert (newest.release, newest.previous, newest.is_rollback) == (2, 3, False)


def test_a_row_that_tells_of_no_known_release_breaks_no_page(client: FlaskClient, served: Project, person: Person):
    put(served, add_iteration(served, 1, "promote"), None, REASON)
    with write() as session:
        for action, detail in (("release.promote", {}), ("release.promote", {"release": 99}), ("iteration.hold", {})):
            session.add(AuditEvent(project_id=served.id, person_id=person.id, action=action, detail=detail))
    assert [one.release for one in history.promotions(served)] == [2, 1]
    for path in ("", "releases", "iterations", "iterations/1"):
        assert client.get(f"/p/{served.id}/{path}").status_code == 200


def test_a_person_may_be_called_like_the_gate(served: Project):
    with write() as session:
        person = create_person(session, "the gate", role="engineer")
    put(served, add_iteration(served, 1, "promote"), person, "Mine.")
    put(served, add_iteration(served, 2, "promote"), None, REASON)
    assert [(one.by, one.is_by_hand) for one in history.promotions(served)] == [
        ("the gate", False), ("the gate", True), ("Errata", False),
    ]  # fmt: skip


def test_a_release_with_only_another_index_keeps_the_iteration_of_its_model(served: Project, person: Person):
    candidate = add_iteration(served, 1, "promote")
    put(served, candidate, None, REASON)
    again = give_another_index(served, candidate)
    assert again.number == 3
    found = history.promotions(served)
    assert [(one.release, one.iteration, one.by, one.is_same_model) for one in found[:2]] == [
        (3, 1, "Errata", True),
        (2, 1, "the gate", False),
    ]
    brought = history.model_promotion(found)
    assert brought is not None
    assert brought.release == 2


def test_the_releases_page_lists_what_was_in_service_newest_first(
    client: FlaskClient, served: Project, person: Person, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(history, "SHOWN", 3)
    address = f"/p/{served.id}/releases"
    assert "Show all" not in client.get(address).text
    put(served, add_iteration(served, 1, "hold"), person, "It <b>refuses</b> less.")
    client.post(f"{address}/rollback", data={"reason": "It invents prices."})
    client.post(f"{address}/2/promote", data={"reason": "The prices are mended."})
    page = client.get(address).text
    shown = page[page.index("What was in service") : page.index("All releases")]
    assert shown.index("The prices are mended.") < shown.index("It invents prices.") < shown.index("refuses")
    assert "It &lt;b&gt;refuses&lt;/b&gt; less." in shown
    assert ">Cy<br>" in shown
    assert ">Ada</td>" in shown
    assert f'href="/p/{served.id}/iterations/1"' in shown
    assert shown.count("rolled back") == 1
    assert "First release" not in shown
    assert "Show all 4" in shown
    assert "rolled back to by Ada: “It invents prices.”" in page
    assert "promoted by Ada: “The prices are mended.”" in page
    assert "First release" in client.get(f"{address}?promotions=all").text.split("All releases")[0]
    unknown = client.get(f"{address}?promotions=x")
    assert unknown.status_code == 400
    assert "The address says promotions=x; expected one of all, or none." in unknown.text


def shown(client: FlaskClient, project: Project, path: str) -> str:
    """A page's words, without its marks."""
    page = client.get(f"/p/{project.id}/{path}").text
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_what_the_gate_held_and_a_person_promoted_says_both(client: FlaskClient, served: Project, person: Person):
    put(served, add_iteration(served, 1, "hold"), person, "It <refuses> less.")
    page = shown(client, served, "iterations/1")
    assert "so the gate held it back. Its model is in service now." in page
    assert "The gate held it back." in page
    assert "Cy put it into service as release 2, because: “It &lt;refuses&gt; less.”" in page
    assert re.search(
        r"held back put into service by Cy, \d{4}-\d\d-\d\d release 2 in service", shown(client, served, "iterations")
    )
    home = shown(client, served, "")
    assert re.search(
        r"The gate had held it back; Cy put it into service [\d: -]+ UTC ?, because: “It &lt;refuses&gt; less.”", home
    )


def test_what_the_gate_promoted_and_a_person_rolled_back_says_both(
    client: FlaskClient, served: Project, person: Person
):
    put(served, add_iteration(served, 1, "promote"), None, REASON)
    assert "because" not in shown(client, served, "")
    by_hand.roll_back(served, person=None, reason="It invents prices.")
    assert re.search(
        r"The command line rolled back to it [\d: -]+ UTC ?, because: “It invents prices.”", shown(client, served, "")
    )
    by_hand.roll_back(served, person=None, reason="It does not.")
    page = shown(client, served, "iterations/1")
    assert "The gate put it into service as release 2." in page
    assert "The gate held" not in page
    put(served, add_iteration(served, 2, "promote"), None, REASON)
    by_hand.roll_back(served, person=person, reason="It invents prices.")
    page = shown(client, served, "iterations/2")
    assert "Its model was in service and no longer is." in page
    assert "The gate put it into service as release 3. " in page
    assert "Cy rolled back to release 2, because: “It invents prices.”" in page
    assert "Cy rolled back to it, release 2, because: “It invents prices.”" in shown(client, served, "iterations/1")
    lines = shown(client, served, "iterations")
    assert re.search(r"promoted taken out of service by Cy, [\d-]+ release 3 ", lines)
    assert "Cy rolled back to it" in shown(client, served, "")


def test_names_and_reasons_are_printed_as_they_are(client: FlaskClient, served: Project):
    with write() as session:
        admin = create_person(session, "admin", role="engineer")
    put(served, add_iteration(served, 1, "hold"), admin, "iPods are known now.")
    assert "admin put it into service as release 2, because: “iPods" in shown(client, served, "iterations/1")
    by_hand.roll_back(served, person=admin, reason="eBay is not.")
    page = shown(client, served, "iterations/1")
    assert re.search(r"UTC admin rolled back to release 1, because: “eBay is not.”", page)
    page = shown(client, served, "releases").split("All releases")[0]
    assert " admin eBay is not. " in page
    assert "iPods are known now." in page
    give_another_index(served, release_or_404(served, 1))
    assert "Same model, new index" in shown(client, served, "releases").split("All releases")[0]
    assert re.search(r"[.] admin rolled back to it", shown(client, served, ""))


def test_on_a_phone_the_figures_before_and_after_stack_and_keep_their_interval(client: FlaskClient, served: Project):
    add_iteration(served, 1, "hold")
    page = client.get(f"/p/{served.id}/iterations/1").text
    table = page[page.index('aria-label="Metrics before and after"') :].split("</table>")[0]
    assert '<table class="stacked two">' in table
    assert "extra" not in table
    assert re.search(r'data-name="95 % interval">[+-]\d+\.\d to [+-]\d+\.\d<', table)
    assert 'data-name="Release 2"' in table


def test_an_index_update_between_two_promotions_hides_nobodys_decision(
    client: FlaskClient, served: Project, person: Person
):
    held, later = add_iteration(served, 1, "hold"), add_iteration(served, 2, "hold")
    put(served, held, person, "It refuses less.")
    again = give_another_index(served, held)
    for page in (shown(client, served, ""), shown(client, served, "iterations/1")):
        assert re.search(r"Cy put it into service .*because: “It refuses less.”", page)
    assert history.promotions(served)[0].release == again.number == 4
    assert not history.promotions(served)[
        0
    ].overrules_gate  # Errata gave the model an index; a person had overruled the gate
    assert "put into service by Cy" in shown(client, served, "iterations")
    assert "Errata put" not in shown(client, served, "iterations/1")
    by_hand.promote_today(served, later, person=None, reason="It is faster.")
    page = shown(client, served, "iterations/1")
    assert page.index("Cy put it into service as release 2") < page.index("put release 3 into service in its place")
    assert re.search(
        r"held back put into service by Cy, [\d-]+ taken out of service by the command line",
        shown(client, served, "iterations"),
    )
    assert "The gate had held it back; the command line put it into service" in shown(client, served, "")


def test_the_list_has_room_for_the_last_two_decisions_in_the_order_they_were_taken(
    client: FlaskClient, served: Project, person: Person
):
    add_iteration(served, 1, "ask")
    client.post(f"/p/{served.id}/iterations/1/hold", data={"reason": "Wait for Monday."})
    put(served, release_or_404(served, 2), person, "It is Monday.")
    page = shown(client, served, "iterations/1")
    assert page.index("Ada held it back") < page.index("Cy put it into service")
    assert re.search(r"held back by Ada, [\d-]+ put into service by Cy", shown(client, served, "iterations"))
    by_hand.roll_back(served, person=person, reason="It is not.")
    line = shown(client, served, "iterations").split("Started")[1]
    assert "held back by Ada" not in line
    assert re.search(r"put into service by Cy, [\d-]+ taken out of service by Cy", line)


def test_of_a_candidate_another_gate_decision_replaced_nothing_is_said_of_people(
    client: FlaskClient, served: Project, person: Person
):
    put(served, add_iteration(served, 1, "promote"), None, REASON)
    put(served, add_iteration(served, 2, "promote"), None, REASON)
    add_iteration(served, 3, "ask")
    assert "The gate put release 3 into service in its place." in shown(client, served, "iterations/1")
    lines = shown(client, served, "iterations").split("Started")[1].split("What went wrong")[0]
    assert "promoted release 2" in lines
    assert " by " not in lines
    client.post(f"/p/{served.id}/iterations/3/hold", data={"reason": "Wait for Monday."})
    page = shown(client, served, "iterations/3")
    assert "The gate left it to a person." in page
    assert "Ada held it back, because: “Wait for Monday.”" in page
    assert re.search(r"a person decides held back by Ada, [\d-]+ release 4 ", shown(client, served, "iterations"))
