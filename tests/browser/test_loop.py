"""The loop as one person walks it in a browser, served by real processes: ask, correct, train, promote, ask again."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from tests.serve_process import serving
from tests.toys import CITIES, NAMES, build_span
from tests.webapp import toy_loop
from training.split import split_of
from webapp.models import Label, Person, Project, Question, db
from webapp.settings import Settings

pytestmark = [pytest.mark.browser, pytest.mark.kill]

PATIENCE_MS = 300_000  # for what other processes do; a quiet machine needs a few seconds
ANSWERS = toy_loop.right_answers()
ASKED = next(question for question in ANSWERS if split_of(question) == "train")


@pytest.fixture
def page(app: Flask, settings: Settings, context: BrowserContext) -> Iterator[Page]:
    """Signed in by the link that ``errata serve`` prints."""
    with serving(settings.home) as link:
        page = context.new_page()
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("Projects")
        yield page


def site_of(page: Page) -> str:
    return "/".join(page.url.split("/")[:3])


def create_project(page: Page, base: Path) -> str:
    """Through the form; returns the project's address."""
    page.goto(f"{site_of(page)}/projects/new")
    page.get_by_label("Name").fill("People")
    page.get_by_label("Model to start from").fill(str(base))
    page.get_by_label("Embedder for search").fill("hash")
    page.get_by_role("button", name="Create").click()
    page.wait_for_url(re.compile(r"/p/\d+/$"))
    address = page.url.rstrip("/")
    page.goto(f"{address}/settings")
    for label, value in {
        "New or changed labels": "0",
        "Passages shown": "1",
        "Epochs": str(toy_loop.EPOCHS),
        "served blind": "0",
    }.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    return address


def import_rows(page: Page, path: Path, rows: list[dict[str, str]], kind: str) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page.get_by_label("File").set_input_files(path)
    page.get_by_label("It holds").select_option(kind)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#state")).to_contain_text(f"{len(rows)} added", timeout=PATIENCE_MS)


def fill_corpus(page: Page, address: str, folder: Path) -> None:
    page.goto(f"{address}/corpus")
    others = [{"question": question} for question in ANSWERS if question != ASKED]
    import_rows(page, folder / "questions.jsonl", others, "questions")
    documents = [
        {"id": name, "title": f"About {name}", "text": f"{name} lives in {CITIES[i % len(CITIES)]} ."}
        for i, name in enumerate(NAMES)
    ]
    import_rows(page, folder / "documents.jsonl", documents, "documents")
    expect(page.get_by_text("The index is up to date.")).to_be_visible(timeout=PATIENCE_MS)


def ask(page: Page, address: str, release: int) -> None:
    """Until this release answers: the engine takes a moment to notice and load what is in service."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < until:
        page.goto(f"{address}/annotate")
        page.get_by_label("Ask a question").fill(ASKED)
        page.keyboard.press("Enter")
        with contextlib.suppress(AssertionError):
            expect(page.locator("h1.question")).to_have_text(ASKED, timeout=35_000)  # our pages wait 30 seconds
            expect(page.get_by_role("heading", name=f"Release {release} says")).to_be_visible(timeout=500)
            return
    raise AssertionError(page.locator("main").inner_text())


def correct(page: Page) -> None:
    """By keyboard alone: choose the passage, write the answer, save."""
    page.locator("h1.question").focus()
    page.keyboard.press("1")
    expect(page.get_by_role("radio")).to_be_checked()
    page.keyboard.press("e")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type(ANSWERS[ASKED])
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("Saved: corrected")


def label_others(page: Page, address: str, person: Person) -> None:
    """As many people would meanwhile."""
    db.session.rollback()
    project = db.session.get_one(Project, int(address.rsplit("/", 1)[1]))
    taught = db.session.scalars(select(Label).join(Question).where(Question.text == ASKED)).one()
    assert (taught.verdict, taught.text) == ("correct", ANSWERS[ASKED])
    for question in toy_loop.questions_of(project):
        if question.text != ASKED:
            passage = toy_loop.right_passage(question)
            toy_loop.label(question, person, "correct", text=ANSWERS[question.text], passage_id=passage.id)


def test_a_corrected_question_is_answered_right_after_one_iteration(page: Page, tmp_path: Path, person: Person) -> None:
    address = create_project(page, build_span(tmp_path / "base"))
    fill_corpus(page, address, tmp_path)
    ask(page, address, release=1)
    passage = page.locator("[data-passage-text]")
    expect(passage).to_have_text(f"{ASKED.split()[2]} lives in {ANSWERS[ASKED]} .")
    expect(page.locator("#shown-answer")).not_to_have_text(ANSWERS[ASKED])
    correct(page)
    label_others(page, address, person)

    page.goto(f"{address}/iterations")
    page.get_by_role("button", name="Start an iteration").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Iteration 1 succeeded"), timeout=PATIENCE_MS)
    expect(page.get_by_text("Its model is in service now.")).to_be_visible()
    page.reload()
    expect(page.locator("[data-chart] canvas").first).to_be_visible()

    ask(page, address, release=2)
    expect(page.locator("#shown-answer")).to_have_text(ANSWERS[ASKED])
