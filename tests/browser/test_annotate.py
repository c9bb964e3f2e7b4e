"""The annotate page as a person uses it: keys, mouse, another tab, no script at all."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.annotating import DOGS, day, open_annotate, saved, stand_between
from tests.browser.conftest import Site
from tests.webapp.queue_rows import (
    PATIO,
    add_answer,
    add_passages,
    add_question,
    add_queue,
    add_release,
    labels_of,
    set_project,
)
from webapp.models import Project

pytestmark = pytest.mark.browser


def test_a_person_labels_by_keyboard_alone(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 8)
    page = open_annotate(site, context, project)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method) if "/annotate" in request.url else None)
    for number, key in enumerate("arpns", 1):
        day(page, number)
        page.keyboard.press(key)
        expect(page.locator("#notice")).to_contain_text("Saved")
        day(page, number + 1)
        expect(page.locator("h1.question")).to_be_focused()
    assert requests == ["POST"] * 5
    page.keyboard.press("e")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type(DOGS)
    expect(page.locator("#difference ins").first).to_have_text(re.compile("No"))
    expect(page.locator("#difference del").first).to_have_text(re.compile("Yes"))
    page.keyboard.press("Control+Enter")
    day(page, 7)
    assert saved(project) == ["accept", "wrong_answer", "wrong_passage", "unanswerable", "skip", "correct"]
    assert labels_of(project)[-1].text == DOGS
    page.keyboard.press("u")
    day(page, 6)
    expect(page.locator("#text")).to_have_value(DOGS)
    assert saved(project)[-1] == "undo"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert len(labels_of(project)) == 7


def test_a_decision_is_said_once_and_nothing_moves(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    place = page.locator("h1.question").bounding_box()
    page.keyboard.press("a")
    day(page, 2)
    expect(page.locator("#notice")).to_have_text("Saved: accepted.")
    expect(page.locator("[data-saved]")).to_be_hidden()
    assert page.locator("h1.question").bounding_box() == place


def test_an_empty_correction_is_refused_without_saying_that_words_are_back(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 1)
    page = open_annotate(site, context, project)
    for key in ("e", "Control+a", "Delete", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.locator("#verdict-error")).to_contain_text("Write the right answer in words first")
    expect(page.locator("#text")).to_have_value("")
    expect(page.locator("#text")).to_be_focused()
    page.wait_for_timeout(300)
    expect(page.locator("#notice")).to_have_text("")
    page.keyboard.type("N")
    expect(page.locator("#verdict-error")).to_have_count(0)
    expect(page.locator("#text")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#text")).to_be_focused()


def test_a_blind_question_is_answered_with_one_button(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    set_project(project, blind=1)
    page = open_annotate(site, context, project)
    page.keyboard.press("a")
    expect(page.locator("#notice")).to_contain_text("comes without the model's answer")
    answer = page.get_by_role("button", name="Answer", exact=True)
    answer.click()
    expect(page.locator("#text")).to_be_focused()  # nothing to send yet
    assert saved(project) == []
    page.keyboard.type("No dogs.")
    answer.click()
    day(page, 2)
    expect(page.locator("#notice")).to_contain_text("The model had said")
    assert saved(project) == ["correct"]


def test_a_key_that_cannot_do_its_work_says_why(site: Site, context: BrowserContext, project: Project) -> None:
    add_release(project)
    add_question(project, "Can I bring my dog to Kavo Bistro on day 1?")
    page = open_annotate(site, context, project)
    for key in "arpn":
        page.keyboard.press(key)
        expect(page.locator("#notice")).to_contain_text("has not answered this question yet")
        page.locator("#notice").click()
        expect(page.locator("#notice")).to_be_empty()
    page.keyboard.press("u")
    expect(page.locator("#notice")).to_have_text("There is nothing to undo.")
    day(page, 1)
    assert saved(project) == []


def test_an_answer_that_comes_shows_by_itself(site: Site, context: BrowserContext, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    question = add_question(project, "Are dogs allowed?")
    page = open_annotate(site, context, project)
    expect(page.get_by_text("No answer yet")).to_be_visible()
    expect(page.locator("[data-came]")).to_be_hidden()
    page.locator("#ask-text").focus()
    page.keyboard.type("Who co")
    answer = add_answer(question, release, "Yes.", passages)
    expect(page.locator("#shown-answer")).to_have_text("Yes.")
    expect(page.locator("[data-passage]")).to_have_count(1)
    expect(page.locator("[data-awaits]")).to_have_count(0)
    expect(page.locator("#ask-text")).to_be_focused()
    page.keyboard.type("oks")
    expect(page.locator("#ask-text")).to_have_value("Who cooks")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_text("All done for now").first).to_be_visible()
    assert [(label.verdict, label.answer_id) for label in labels_of(project)] == [("accept", answer)]


def test_an_answer_that_comes_while_one_types_is_offered_and_takes_nothing_away(
    site: Site, context: BrowserContext, project: Project
) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    question = add_question(project, "Are dogs allowed?")
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    page.keyboard.type("No dogs")
    answer = add_answer(question, release, "Yes.", passages)
    offer = page.get_by_role("link", name="The answer is here: show it")
    expect(offer).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/answer") else None)
    page.wait_for_timeout(3500)
    assert asked == []  # what is known is not asked again
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type(" there.")
    expect(page.locator("#text")).to_have_value("No dogs there.")
    offer.click()
    expect(page.locator("#shown-answer")).to_have_text("Yes.")
    expect(page.locator("#text")).to_have_value("No dogs there.")
    page.locator("#text").press("Control+Enter")
    expect(page.get_by_text("All done for now").first).to_be_visible()
    label = labels_of(project)[0]
    assert (label.verdict, label.text, label.answer_id) == ("correct", "No dogs there.", answer)


def test_a_decision_goes_before_asking_whether_the_answer_has_come(
    site: Site, context: BrowserContext, project: Project
) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    first, second = (add_question(project, text) for text in ("Are dogs allowed?", "Who cooks?"))
    page = open_annotate(site, context, project)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/answer", hold)
    with page.expect_request("**/answer"):
        pass
    with page.expect_event("requestfailed", lambda request: request.url.endswith(f"/{first}/answer")):
        page.keyboard.press("s")
    expect(page.locator("h1.question")).to_have_text("Who cooks?")
    assert saved(project) == ["skip"]
    # An answer whose page has gone on meanwhile brings nothing back.
    with page.expect_request(f"**/{second}/answer"):
        pass
    while f"/{second}/" not in held[-1].request.url:
        page.wait_for_timeout(20)
    late = held[-1]
    page.keyboard.press("u")
    expect(page.locator("h1.question")).to_have_text("Are dogs allowed?")
    add_answer(second, release, "A chef.", passages)
    with page.expect_response(f"**/{second}/answer"):
        late.continue_()
    page.wait_for_timeout(300)
    expect(page.locator("h1.question")).to_have_text("Are dogs allowed?")


def test_keys_are_letters_while_one_types(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    page.locator("#reason").click()
    page.keyboard.type("a rather plain sun")
    expect(page.locator("#reason")).to_have_value("a rather plain sun")
    page.keyboard.press("Control+a")
    day(page, 1)
    assert saved(project) == []


def test_a_decision_that_leaves_written_words_aside_is_taken_only_when_made_twice(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 3)
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.type(DOGS)
    page.keyboard.press("Escape")
    for key in "pa":  # another one asks again
        page.keyboard.press(key)
        expect(page.locator("#notice")).to_contain_text("What you wrote is not saved")
        expect(page.locator("#text")).to_have_value(DOGS)
    assert labels_of(project) == []
    page.keyboard.press("a")
    day(page, 2)
    assert saved(project) == ["accept"]
    page.keyboard.press("p")  # nothing written, nothing asked
    day(page, 3)
    assert saved(project) == ["accept", "wrong_passage"]


def test_the_decision_stays_in_view_beside_long_passages(site: Site, context: BrowserContext, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, *(f"Number {i}. " + PATIO * 30 for i in range(5)))
    add_answer(add_question(project, "Are dogs allowed?"), release, "Yes", passages)
    page = open_annotate(site, context, project)
    page.set_viewport_size({"width": 1280, "height": 700})
    page.locator("[data-passage]").last.scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 700
    before = page.evaluate("scrollY")
    expect(page.locator("button[data-key=a]")).to_be_in_viewport()
    page.keyboard.press("e")
    expect(page.locator("#text")).to_be_focused()
    assert page.evaluate("scrollY") == before


def test_a_double_click_and_a_held_key_make_one_label_each(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 4)
    page = open_annotate(site, context, project)
    stand_between(page, lambda route: (page.wait_for_timeout(150), route.continue_()))
    page.get_by_role("button", name="Accept").dblclick()
    day(page, 2)
    page.keyboard.down("r")
    for _ in range(10):
        page.keyboard.down("r")
    page.keyboard.up("r")
    day(page, 3)
    assert saved(project) == ["accept", "wrong_answer"]


def test_dragging_over_words_takes_them_as_answer_and_evidence(
    site: Site, context: BrowserContext, project: Project
) -> None:
    release = add_release(project)
    text = "Zoë 😀 wrote: they turned us away because of the dog."
    question = add_question(project, "Are dogs allowed?")
    add_answer(question, release, "Yes.", add_passages(project, text))
    page = open_annotate(site, context, project)
    drag_over(page, "urned us awa")
    expect(page.locator("#text")).to_have_value("turned us away")
    expect(page.locator("[data-evidence]")).to_contain_text("turned us away")
    expect(page.get_by_role("radio")).to_be_checked()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All done for now").first).to_be_visible()
    label = labels_of(project)[0]
    assert (label.verdict, label.text) == ("correct", "turned us away")
    assert text[label.start : label.end] == "turned us away"


def test_words_of_a_passage_are_taken_by_keyboard_alone(site: Site, context: BrowserContext, project: Project) -> None:
    release = add_release(project)
    text = "Zoë 😀 wrote: they turned us away at 9.30 because of the dog."
    question = add_question(project, "Are dogs allowed?")
    add_answer(question, release, "Yes.", add_passages(project, "There is a car park.", text))
    page = open_annotate(site, context, project)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Mark words in the chosen passage")
    page.keyboard.press("Escape")
    for key in ("2", "m"):
        page.keyboard.press(key)
    expect(page.locator("[data-passage-text]").nth(1)).to_be_focused()
    expect(page.locator("#evidence-spoken")).to_have_text("Zoë")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#evidence-spoken")).to_have_text("turned us")
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#evidence-spoken")).to_have_text("turned us away at 9.30")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value("turned us away at 9.30")
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("[data-evidence]")).to_contain_text("turned us away at 9.30")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All done for now").first).to_be_visible()
    label = labels_of(project)[0]
    assert (label.verdict, label.text) == ("correct", "turned us away at 9.30")
    assert text[label.start : label.end] == "turned us away at 9.30"


def test_a_field_that_was_drawn_larger_breaks_no_rule_of_the_page(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    box = page.locator("#reason").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] + 60, steps=5)
    page.mouse.up()
    assert page.locator("#reason").get_attribute("style")
    page.keyboard.press("a")
    day(page, 2)
    page.wait_for_timeout(100)  # the context fails the test on what the browser blocked


def test_on_a_phone_the_menu_is_whole_and_a_notice_hides_neither_answer_nor_buttons(
    site: Site, chromium: Browser, project: Project
) -> None:
    add_queue(project, 2)
    context = chromium.new_context(viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True)
    page = open_annotate(site, context, project)
    for link in page.locator(".menu a").all():
        expect(link).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Accept").tap()
    expect(page.locator("#notice")).to_contain_text("Saved")
    below = page.locator("#notice").bounding_box()
    assert below is not None
    for shown in ("#question", "#shown-answer", *(f".verdicts button:nth-child({place})" for place in range(1, 7))):
        expect(page.locator(shown)).to_be_in_viewport(ratio=1)
        box = page.locator(shown).bounding_box()
        assert box is not None
        assert box["y"] >= below["y"] + below["height"], shown
    context.close()


def drag_over(page: Page, words: str) -> None:
    find = """words => { const text = document.querySelector('[data-passage-text]');
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.data.indexOf(words);
        if (at < 0) continue;
        const range = document.createRange(); range.setStart(node, at); range.setEnd(node, at + words.length);
        const box = range.getBoundingClientRect(); return [box.left, box.right, box.top + box.height / 2]; } }"""
    left, right, height = page.evaluate(find, words)
    page.mouse.move(left + 1, height)
    page.mouse.down()
    page.mouse.move(right - 1, height, steps=6)
    page.mouse.up()


def test_a_click_on_a_passage_says_it_is_the_right_one(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    second = page.locator("[data-passage]").nth(1)
    second.click()
    expect(second.get_by_role("radio")).to_be_checked()
    page.keyboard.press("p")
    day(page, 2)
    assert labels_of(project)[0].passage_id is not None


def test_the_form_of_another_tab_is_stale_and_shows_both(site: Site, context: BrowserContext, project: Project) -> None:
    add_queue(project, 2)
    page = open_annotate(site, context, project)
    other = context.new_page()
    other.goto(f"{site.url}/p/{project.id}/annotate")
    other.keyboard.press("a")
    day(other, 2)
    page.keyboard.press("e")
    page.keyboard.type(DOGS)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="This question was decided meanwhile")).to_be_visible()
    expect(page.locator("#annotate")).to_contain_text(DOGS)
    assert saved(project) == ["accept"]
    page.get_by_role("button", name="Replace it with this one").click()
    day(page, 2)
    assert saved(project) == ["accept", "correct"]


def test_it_all_works_by_plain_forms(site: Site, chromium: Browser, project: Project) -> None:
    add_queue(project, 3)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in_by_hand(site, page)
    page.goto(f"{site.url}/p/{project.id}/annotate")
    page.get_by_role("button", name="Next question").click()
    day(page, 1)
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("button", name="Wrong passage").click()
    expect(page.get_by_text("Saved: wrong passage.")).to_be_visible()
    day(page, 2)
    page.get_by_label("Your correction").fill(DOGS)
    page.get_by_role("button", name="Save correction").click()
    day(page, 3)
    page.get_by_role("button", name="Undo").click()
    day(page, 2)
    assert saved(project) == ["wrong_passage", "correct", "undo"]
    assert labels_of(project)[0].passage_id is not None
    page.get_by_label("Ask a question").fill("Is parking free?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="Is parking free?")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("errata engine")
    context.close()


def sign_in_by_hand(site: Site, page: Page) -> None:
    from webapp.db import write
    from webapp.people import service as people

    with write() as rows:
        token = people.create_link(rows, people.create_person(rows, "Noa"))
    page.goto(f"{site.url}/sign-in?token={token}")
    page.get_by_role("button", name="Sign in").click()


PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "javascript:alert(1)",
    '<div hx-get="/people" hx-trigger="load">', "<template><script>alert(1)</script></template>", "{{ 7 * 7 }}",
)  # fmt: skip


def test_no_text_runs_or_asks_for_anything(site: Site, context: BrowserContext, project: Project) -> None:
    bad = " ".join(PAYLOADS)
    release = add_release(project)
    passages = add_passages(project, f"{bad} and more", title=bad)
    add_answer(add_question(project, bad), release, bad, passages, start=0, end=len(bad))
    asked: list[str] = []
    context.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda request: asked.append(request.url) if request.url.endswith("/people") else None)
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    page.keyboard.insert_text(f"{bad} {bad}")
    page.locator("#reason").fill(bad)
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("All done for now").first).to_be_visible()
    label = labels_of(project)[0]
    for address in ("annotate", f"annotate/{label.question_id}", "labels", f"labels/{label.id}", "labels?history=all"):
        page.goto(f"{site.url}/p/{project.id}/{address}")
        expect(page.locator("main")).to_contain_text("onerror=alert(1)")
    assert label.text == f"{bad} {bad}"
    assert asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_every_page_fits_the_window(
    site: Site, chromium: Browser, project: Project, width: int, scheme: Any, tmp_path: Any
) -> None:
    release = add_release(project)
    passages = add_passages(
        project, "word" * 200, "A plain passage. " * 30, title="A-very-long-title-without-a-space" * 3
    )
    add_answer(add_question(project, "W" * 300), release, "long-answer-" * 30, passages)
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = site.sign_in(context, "Ada", role="admin")
    for address in (f"p/{project.id}/annotate", f"p/{project.id}/labels", f"p/{project.id}/ask", f"p/{project.id}/",
                    f"p/{project.id}/settings", "", "people", "projects/new", "sign-in", "p/999/"):  # fmt: skip
        page.goto(f"{site.url}/{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        page.screenshot(path=tmp_path / f"{address.replace('/', '-')}-{width}-{scheme}.png")
    context.close()
