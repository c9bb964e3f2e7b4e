"""A page that follows work while the server is away: it asks less often, says so once, and goes on by itself."""

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import update

from tests.browser.annotating import go_offline
from tests.browser.conftest import Site
from webapp.db import write
from webapp.models import Job, Project

pytestmark = pytest.mark.browser


def test_a_followed_job_is_asked_for_less_often_while_the_server_is_away(
    site: Site, context: BrowserContext, project: Project
) -> None:
    with write() as session:
        job = Job(kind="export", project_id=project.id, payload={}, state="running", message="Half way")
        session.add(job)
        session.flush()
        address, job_id = f"/jobs/{job.id}", job.id
    page = site.sign_in(context, "Ada")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url) if request.url.endswith(address) else None)
    page.goto(site.url + address)
    go_offline(page)
    expect(page.locator("#notice")).to_contain_text("The server cannot be reached. This page goes on by itself")
    page.wait_for_timeout(4500)
    assert 1 <= len(failed) <= 3  # the second and the fourth second; every second it would be five or more
    expect(page.locator(".job")).to_contain_text("Half way")
    context.set_offline(False)
    with write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(state="succeeded", message="All done"))
    expect(page.locator(".job")).to_contain_text("All done")
    expect(page.locator("#notice")).to_contain_text("The server is back.")
