"""A real server in this process, and headless Chromium signed in to it."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from webapp.db import write
from webapp.people import service as people

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

# A busy machine is no failure.
expect.set_options(timeout=20_000)


@dataclass
class Site:
    url: str
    app: Flask

    def sign_in(self, context: BrowserContext, name: str, *, role: str = "annotator") -> Page:
        """A page signed in as this person, new or known."""
        with write() as rows:
            known = [one for one in people.list_people() if one.name == name]
            token = people.create_link(rows, known[0] if known else people.create_person(rows, name, role=role))
        page = context.new_page()
        page.goto(f"{self.url}/sign-in?token={token}")
        # Signing in may enter a project; every test begins at the list of projects, before a question was taken.
        page.wait_for_url(lambda url: "/sign-in" not in url, wait_until="commit")
        page.goto(f"{self.url}/")
        return page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def screenshots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go: the folder of ``--screenshots``, else one that pytest throws away."""
    chosen: Path | None = request.config.getoption("--screenshots")
    folder = chosen or tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", app)
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A desktop window; a request to another host, a blocked script or style, and an exception on a page fail the test."""
    made = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    made.set_default_timeout(30_000)
    troubles: list[str] = []
    made.on("weberror", lambda error: troubles.append(str(error.error)))
    made.on(
        "console", lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None
    )
    made.on(
        "request",
        lambda request: troubles.append(request.url) if not request.url.startswith("http://127.0.0.1") else None,
    )
    yield made
    made.close()
    assert troubles == []
