"""Every page of a filled project in a real browser: wide and narrow, light and dark."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from tests.browser.conftest import Site
from tests.webapp import toy_loop
from tests.webapp.queue_rows import PARKING, PATIO, add_answer, add_passages, add_question
from webapp.db import write
from webapp.jobs.run import run_here
from webapp.jobs.service import enqueue
from webapp.models import Document, Job, Label, Person, Process, Project, Question, db, now
from webapp.releases.service import champion_of

pytestmark = pytest.mark.browser

WIDTHS = (1280, 375)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LONG = (
    "Kavo Bistro was the place where we spent the evening of our anniversary. The lasagna came late, but it was worth "
    "the wait, and the waiter explained every dish with patience. Next time we will book the table by the window."
)

# What is wrong with the page as it stands, in words.
FAULTS = """() => {
  const wrong = [], name = (node) => node.outerHTML.slice(0, 90);
  const isSeen = (node) => node.checkVisibility();
  const headings = document.querySelectorAll("h1");
  if (headings.length !== 1) wrong.push(`${headings.length} h1`);
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide`);
  if (!document.title.trim() || !document.documentElement.lang) wrong.push("no title or language");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const label = [...(field.labels || [])].map((one) => one.textContent.trim()).join("");
    if (!field.hidden && !label && !field.getAttribute("aria-label")) wrong.push(`no label: ${name(field)}`);
  }
  for (const node of document.querySelectorAll("a[href], button"))
    if (isSeen(node) && !node.innerText.trim() && !node.getAttribute("aria-label")) wrong.push(`no words: ${name(node)}`);
  for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) wrong.push(`no alt: ${name(image)}`);
  for (const box of innerWidth < 500 ? document.querySelectorAll(".table-wrap") : []) {
    const closed = box.closest("details:not([open])");
    closed?.setAttribute("open", "");
    if (box.scrollWidth > box.clientWidth + 1) wrong.push(`cut by ${box.scrollWidth - box.clientWidth}: ${box.ariaLabel}`);
    closed?.removeAttribute("open");
  }
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push(`id twice: ${id}`);
  return wrong;
}"""
# A decision can be made without scrolling past the passages.
OUT_OF_REACH = """() => [...document.querySelectorAll(".verdicts button")].filter((button) => {
  const box = button.getBoundingClientRect();
  return box.top < 0 || box.bottom > innerHeight;
}).map((button) => button.value)"""


@pytest.fixture
def filled(site: Site, tmp_path: Path, person: Person) -> Project:
    """Documents, labels, two releases, an iteration with its curves, an export, and questions that wait."""
    project = toy_loop.make_project(tmp_path / "toy")
    toy_loop.answer_queue(project, toy_loop.load_champion(project))
    toy_loop.correct_all(project, person)
    _, job = toy_loop.train(project, person)
    assert job.state == "succeeded", job.error
    release = champion_of(project)
    assert release is not None
    passages = add_passages(project, PATIO, PARKING, LONG, LONG[::-1])
    for number in (1, 2, 3):
        question = add_question(project, f"Can I bring my dog to Kavo Bistro on day {number}?")
        add_answer(question, release, "Yes, dogs are welcome at Kavo Bistro.", passages, start=30, end=70)
    toy_loop.label(db.session.get_one(Question, question), person, "skip")  # a label that is left out
    with write() as session:
        session.add_all(
            Process(name=name, pid=1, heartbeat_at=now() + dt.timedelta(hours=1)) for name in ("engine", "worker")
        )
        payload = {"format": "csv", "verdicts": [], "person_id": None}
        export = enqueue(session, "export", project_id=project.id, payload=payload, person=person)
    assert run_here(export.id)
    return project


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield site.sign_in(context, "Ada", role="admin")
    context.close()


def addresses(project: Project) -> dict[str, str]:
    db.session.rollback()
    here = f"p/{project.id}"
    document = db.session.scalars(select(Document.id).where(Document.project_id == project.id)).first()
    label = db.session.scalars(select(Label.id).where(Label.project_id == project.id)).first()
    job = db.session.scalars(select(Job.id).where(Job.project_id == project.id)).first()
    return {
        "projects": "", "new-project": "projects/new", "home": f"{here}/", "annotate": f"{here}/annotate", "ask": f"{here}/ask",
        "labels": f"{here}/labels", "label": f"{here}/labels/{label}", "corpus": f"{here}/corpus",
        "document": f"{here}/corpus/documents/{document}", "dataset": f"{here}/dataset", "left-out": f"{here}/dataset?kind=left_out", "frozen": f"{here}/dataset/1",
        "iterations": f"{here}/iterations", "iteration": f"{here}/iterations/1", "releases": f"{here}/releases",
        "exports": f"{here}/export", "settings": f"{here}/settings", "job": f"jobs/{job}", "people": "people", "health": "health",
        "error": "p/999/",
    }  # fmt: skip


def look(page: Page, name: str, folder: Path) -> list[str]:
    """The page in every width and colour; what is wrong with it."""
    wrong = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900 if width > 1000 else 812})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
            wrong += [f"{name} at {width} px, {scheme}: {fault}" for fault in page.evaluate(FAULTS)]
        if name == "annotate":
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=folder / f"{name}-{width}-top.png")
            wrong += [f"{name} at {width} px: {word} is out of reach" for word in page.evaluate(OUT_OF_REACH)]
    return wrong


def open_mapping(page: Page, address: str) -> None:
    """The form that asks which column holds what."""
    page.goto(address)
    rows = b"a;b\nHow late is it?;Nine.\n".replace(b";", b",")
    page.get_by_label("File").set_input_files([{"name": "rows.csv", "mimeType": "text/csv", "buffer": rows}])
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url("**/corpus/import/*")


def test_every_page_is_sound_at_both_widths_and_in_both_colours(
    site: Site, page: Page, filled: Project, screenshots: Path
) -> None:
    wrong: list[str] = []
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: console.append(str(error)))
    for name, address in addresses(filled).items():
        page.set_viewport_size({"width": 1280, "height": 900})
        response = page.goto(f"{site.url}/{address}", wait_until="networkidle")
        assert response is not None
        expected = 404 if name == "error" else 200
        if response.status != expected:
            wrong.append(f"{name}: status {response.status}")
        if name == "annotate":
            page.get_by_role("radio").first.wait_for()
        wrong += look(page, name, screenshots)
        wrong += [f"{name}: {text}" for text in console if expected == 200 or "404" not in text]
        console.clear()
    page.set_viewport_size({"width": 1280, "height": 900})
    open_mapping(page, f"{site.url}/p/{filled.id}/corpus")
    wrong += look(page, "mapping", screenshots) + console
    assert wrong == []


def test_a_form_that_came_back_begins_at_the_field_that_did_not_fit(
    site: Site, context: BrowserContext, project: Project
) -> None:
    page = site.sign_in(context, "Ada", role="admin")
    page.goto(f"{site.url}/p/{project.id}/settings")
    page.get_by_label("Epochs").fill("-1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Epochs")).to_be_focused()
    expect(page.get_by_text("A number from 0.01 to 1000.0.")).to_be_in_viewport()
