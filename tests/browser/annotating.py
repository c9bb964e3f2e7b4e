"""What the tests of the annotate page share."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Site
from tests.webapp.queue_rows import labels_of
from webapp.models import Project

DOGS = "No, Kavo Bistro does not allow dogs."


def open_annotate(site: Site, context: BrowserContext, project: Project, name: str = "Ada") -> Page:
    page = site.sign_in(context, name)
    page.goto(f"{site.url}/p/{project.id}/annotate")
    expect(page.locator("h1.question")).to_be_visible()
    return page


def day(page: Page, number: int) -> None:
    """The question on the page is the one of this day."""
    expect(page.locator("h1.question")).to_have_text(f"Can I bring my dog to Kavo Bistro on day {number}?")


def saved(project: Project) -> list[str]:
    return [label.reject_reason or label.verdict for label in labels_of(project)]


def stand_between(page: Page, handle: Callable[[Route], object]) -> None:
    """What the page sends about a question goes through ``handle``.

    The page is loaded again: one that was open may send its next request past a route that has just been set.
    """
    page.route("**/annotate/*", handle)
    page.reload()
    expect(page.locator("h1.question")).to_be_visible()


def go_offline(page: Page) -> None:
    page.context.set_offline(True)
    page.wait_for_function("() => fetch('/', {method: 'HEAD', cache: 'no-store'}).then(() => false, () => true)")


def outbox(page: Page) -> list[str]:
    """What the browser keeps of unanswered decisions, by person."""
    kept: list[str] = page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('errata-outbox-'))")
    return kept
