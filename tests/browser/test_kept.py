"""Decisions and words outlive a lost network, a closed tab and an ended sign-in: each is sent once, by the person who made it."""

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.annotating import DOGS, day, go_offline, open_annotate, outbox, saved, stand_between
from tests.browser.conftest import Site
from tests.webapp.queue_rows import add_queue, labels_of
from webapp.models import Project, SignIn

pytestmark = pytest.mark.browser


def decide_offline(site: Site, context: BrowserContext, project: Project) -> Page:
    """The page after the first of three questions was accepted without a network."""
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    go_offline(page)
    page.keyboard.press("a")
    expect(page.locator("#outbox")).to_be_visible()
    return page


def test_without_a_network_a_decision_waits_and_is_sent_once(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = decide_offline(site, context, project)
    expect(page.locator("#outbox")).to_contain_text("1 decision not yet sent")
    expect(page.locator("#notice")).to_contain_text("Not saved")
    assert "Saved" not in page.locator("#annotate").inner_text()
    day(page, 1)
    assert saved(project) == []
    context.set_offline(False)
    was_sent_once(page, project)


def was_sent_once(page: Page, project: Project) -> None:
    day(page, 2)
    expect(page.locator("#outbox")).to_be_hidden()
    assert outbox(page) == []
    assert saved(project) == ["accept"]


def test_a_decision_that_was_answered_is_crossed_out_at_once(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    page.keyboard.press("a")
    was_sent_once(page, project)
    page.reload()
    day(page, 2)
    expect(page.locator("#notice")).to_be_empty()


def test_an_answer_lost_on_its_way_back_is_asked_for_again_and_counts_once(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    lost: list[Route] = []

    def lose_first(route: Route) -> None:
        if not lost:
            lost.append(route)
            route.fetch()  # the server saves
            route.abort()  # and nobody hears of it
        else:
            route.continue_()

    stand_between(page, lose_first)
    page.keyboard.press("a")
    expect(page.locator("#outbox")).to_contain_text("1 decision not yet sent")
    assert saved(project) == ["accept"]
    was_sent_once(page, project)


def test_a_tab_closed_while_sending_sends_at_the_next_visit(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    stand_between(page, lambda route: None)  # never answered
    page.keyboard.press("a")
    page.wait_for_timeout(100)
    page.close()  # the browser may drop the request on its way or let it arrive: either way it must count once
    again = context.new_page()
    again.goto(f"{site.url}/p/{project.id}/annotate")
    day(again, 2)
    assert saved(project) == ["accept"]


def test_an_error_page_never_gets_into_the_work_area(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    stand_between(page, lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>"))
    page.keyboard.press("a")
    expect(page.locator("#outbox")).to_be_visible()
    day(page, 1)
    expect(page.get_by_text("Bad gateway")).to_have_count(0)


def test_a_sign_in_that_ended_keeps_the_draft_and_the_decision(
    site: Site, context: BrowserContext, project: Project
) -> None:
    from sqlalchemy import delete

    from webapp.db import write

    add_queue(project, 2)
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    page.keyboard.type(DOGS)
    with write() as session:
        session.execute(delete(SignIn))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#outbox")).to_contain_text("1 decision not yet sent")
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    expect(page.locator("#text")).to_have_value(DOGS)
    assert saved(project) == []
    page.close()
    again = open_annotate(site, context, project)
    day(again, 2)
    assert [label.text for label in labels_of(project)] == [DOGS]


def test_what_is_kept_of_one_person_is_never_sent_by_another(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = decide_offline(site, context, project)
    page.close()
    context.set_offline(False)
    other = open_annotate(site, context, project, name="Ben")
    expect(other.locator("#outbox")).to_be_hidden()
    assert saved(project) == []


def test_typing_survives_a_reload(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    page.keyboard.type(DOGS)
    page.reload()
    expect(page.locator("#text")).to_have_value(DOGS)
    expect(page.locator("#difference ins").first).to_be_visible()


def test_a_refusal_is_over_after_a_reload(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    shown = page.locator("#shown-answer").inner_text()
    page.keyboard.press("e")
    page.locator("#text").fill("")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#verdict-error")).to_contain_text("nothing was saved")
    page.reload()
    expect(page.locator("#text")).to_have_value(shown)
    expect(page.locator("#verdict-error")).to_have_count(0)
    expect(page.locator("[data-correction]")).not_to_be_visible()
    expect(page.locator("#notice")).to_be_empty()
    assert outbox(page) == []
    page.keyboard.press("a")
    day(page, 2)
    assert saved(project) == ["accept"]
