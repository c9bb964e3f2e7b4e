"""What the tests of the annotate page share."""

from playwright.sync_api import BrowserContext, Page, expect

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
