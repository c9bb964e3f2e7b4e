"""Beside the correction: whether the words typed stand in a passage shown."""

from itertools import product

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from tests.browser.annotating import open_annotate, saved
from tests.browser.conftest import Site
from tests.webapp.queue_rows import add_answer, add_passages, add_question, add_queue, add_release, labels_of
from training.answerers.rows import find_answer
from training.safety import SHIPPED
from webapp.db import write
from webapp.models import Project, Release

pytestmark = pytest.mark.browser

NOWHERE = "These words stand in no passage shown"
PASSAGES = (
    "", "They turned us away, at 9.30 (or 10), because of the dog.", "they\nturned us away", "THEY TURNED US AWAY",
    "Zoë 😀 wrote: café, cafe\u0301, straße, STRASSE, ΟΔΟΣ and οδος.", "İstanbul, ISPARTA, ıspanak, ſpring, 300 \u212a, 5 µm",
    "a+b (c) [d] {e} ^f$ g|h i\\j k/l m*n o?p q-r", "under_score 1995 x² ½ Ⅷ", "don't stop. Stop!", "𝐛old 𠮷野家 日本語です",
    "It is 230 metres (750 ft).The boat costs US$5, 50% less.I've never been.",
)  # fmt: skip
WORDS = (
    "", "turned us", "turned  us", "urned us", "TURNED us", "they\nturned", "away,", "away", "9.30", "9", "9x30", "(or 10)", "or 10)", "dog.",
    "zoë", "ZOË", "zoe", "😀", "café", "cafe", "straße", "strasse", "οδοσ", "ΟΔΟς", "istanbul", "isparta", "ıSPANAK", "spring", "k", "5 μm",
    "a+b", "b (c)", "[d]", "{e}", "^f$", "g|h", "i\\j", "k/l", "m*n", "o?p", "q-r", "under", "under_score", "95", "x", "x²", "½", "ⅷ",
    "don't", "don", "stop", "𝐛old", "old", "野", "𠮷野家", "日本語",
    "(750 ft).", "750 ft).", "50 ft).", "$5", "%", "50%", "0%", "'ve never", ".I", "less.", "'",
)  # fmt: skip


def test_the_page_and_the_dataset_agree_on_what_stands_in_a_passage(
    site: Site, context: BrowserContext, project: Project
) -> None:
    add_queue(project, 1)
    page = open_annotate(site, context, project)
    pairs = [[words, passage, None] for words, passage in product(WORDS, PASSAGES)]
    # Words that were marked stand where they were marked, be it in the middle of a word.
    pairs += [["urned", PASSAGES[1], start] for start in (5, 6)] + [["😀 w", PASSAGES[4], start] for start in (3, 4, 5)]
    seen = page.evaluate("pairs => pairs.map(([words, passage, start]) => window.errata.stands(words, passage, start))", pairs)  # fmt: skip
    told = [find_answer(words, passage, start) is not None for words, passage, start in pairs]
    assert [pair for pair, one, other in zip(pairs, seen, told, strict=True) if one != other] == []
    assert 40 < sum(told) < 100


def write_down(page: Page, words: str) -> None:
    page.locator("#text").fill(words)


def open_passages(site: Site, context: BrowserContext, project: Project) -> Page:
    texts = (
        "They turned us away because of the dog.",
        "There is a car park. The dog sat there.",
        "A patio of brown tiles.",
    )
    question = add_question(project, "Are dogs allowed?")
    add_answer(question, add_release(project), "Yes.", add_passages(project, *texts))
    page = open_annotate(site, context, project)
    page.keyboard.press("e")
    return page


def test_words_that_stand_in_no_passage_are_told_and_can_be_saved(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = open_passages(site, context, project)
    told = page.locator("#standing")
    expect(told).to_have_attribute("aria-live", "polite")
    write_down(page, "No dogs inside")
    expect(told).to_contain_text(NOWHERE)
    write_down(page, "turned us AWAY ")
    expect(told).to_have_text("Found in passage 1.")
    write_down(page, "turned us awa")
    expect(told).to_contain_text(NOWHERE)
    write_down(page, "")
    expect(told).to_have_text("")
    write_down(page, "No dogs inside")
    expect(told).to_contain_text(NOWHERE)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All done for now").first).to_be_visible()
    assert saved(project) == ["correct"]
    assert labels_of(project)[0].text == "No dogs inside"
    page.keyboard.press("u")
    expect(page.locator("#text")).to_have_value("No dogs inside")
    expect(told).to_contain_text(NOWHERE)
    write_down(page, "No dogs at all")  # a draft comes back, and so does what is to be said of it
    page.reload()
    expect(page.locator("#text")).to_have_value("No dogs at all")
    expect(told).to_contain_text(NOWHERE)


def test_the_passage_somebody_chose_is_the_one_that_counts(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = open_passages(site, context, project)
    told = page.locator("#standing")
    write_down(page, "the dog")
    expect(told).to_have_text("Found in passages 1 and 2: choose the right one.")
    page.get_by_role("radio").nth(2).check()
    expect(told).to_contain_text("Found in passages 1 and 2, not in the one you chose")
    page.get_by_role("radio").nth(1).check()
    expect(told).to_have_text("")


def test_marked_words_need_no_telling_and_neither_does_what_the_model_had_said(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = open_passages(site, context, project)
    told = page.locator("#standing")
    expect(page.locator("#text")).to_have_value("Yes.")
    page.wait_for_timeout(400)
    expect(told).to_have_text("")
    write_down(page, "nowhere at all")
    expect(told).to_contain_text(NOWHERE)
    page.locator("#text").blur()
    for key in ("m", "ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#text")).to_have_value("turned us")
    expect(told).to_have_text("")


def test_an_answer_the_model_may_always_give_needs_no_passage(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = open_passages(site, context, project)
    with write() as rows:
        rows.execute(update(Release).values(answerer_path=str(SHIPPED / "starter")))
    page.reload()
    page.keyboard.press("e")
    told = page.locator("#standing")
    write_down(page, "Never")
    expect(told).to_contain_text(f"{NOWHERE}. The model learns them")
    write_down(page, "No")
    expect(told).to_have_text("")
