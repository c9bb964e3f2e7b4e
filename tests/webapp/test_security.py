"""What every response carries and what every unsafe request must."""

import pytest
from conftest import sign_in_as
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from webapp.models import Project, db
from webapp.security import POLICY

CROSS_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/people", "/healthz", "/static/css/errata.css"])
def test_every_response_carries_the_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        headers = response.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    if not path.startswith("/static"):
        assert headers["Cache-Control"] == "no-store"


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "default-src 'none'" in POLICY


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_a_form_from_another_site_is_refused_even_with_a_token(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/projects/new", data={"name": "Evil"}, headers=headers)
    assert response.status_code == 403
    assert db.session.scalar(select(func.count()).select_from(Project)) == 0


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}, {}])
def test_our_own_form_is_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/projects/new", data={"name": "Good"}, headers=headers).status_code == 303


def test_a_form_without_a_token_is_refused(client: FlaskClient) -> None:
    response = client.post("/projects/new", data={"name": "Evil"}, csrf=False)  # type: ignore[call-arg]
    assert response.status_code == 403
    assert "reload the page" in response.text
    assert db.session.scalar(select(func.count()).select_from(Project)) == 0


def test_every_unsafe_route_refuses_a_request_without_a_token(app: Flask, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            values = {name: 1 for name in rule.arguments}
            with app.test_request_context():
                path = rule.build(values)[1]  # type: ignore[index]
            response = client.open(path, method=method, csrf=False)  # type: ignore[call-arg]
            assert response.status_code == 403, (method, path, response.status_code)


def test_every_page_but_the_door_needs_a_sign_in(app: Flask, anonymous: FlaskClient) -> None:
    open_to_all = {
        "static",
        "people.sign_in",
        "people.use_link",
        "people.sign_out",
        "processes.healthz",
        "processes.readyz",
    }
    for rule in app.url_map.iter_rules():
        if rule.endpoint in open_to_all:
            continue
        assert getattr(app.view_functions[rule.endpoint], "required_role", None), f"{rule.endpoint} asks for no role"


def test_an_unknown_host_is_refused(anonymous: FlaskClient) -> None:
    assert anonymous.get("/sign-in", headers={"Host": "evil.example"}).status_code == 400
    assert anonymous.get("/sign-in", headers={"Host": "127.0.0.1:8765"}).status_code == 200


def test_an_upload_that_is_too_large_is_refused_in_words(app: Flask, client: FlaskClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 1000
    response = client.post("/projects/new", data={"name": "x" * 2000})
    assert response.status_code == 413
    assert "ERRATA_UPLOAD_MB" in response.text


def test_text_of_people_is_shown_as_text(app: Flask, client: FlaskClient) -> None:
    client.post("/projects/new", data={"name": "<script>alert(1)</script>"})
    sign_in_as(app, "<img src=x>", "annotator")
    assert "<script>alert(1)" not in client.get("/").text
    assert "<img src=x>" not in client.get("/people").text


def test_an_error_is_a_page_a_fragment_or_an_object(client: FlaskClient) -> None:
    page = client.get("/p/99/")
    assert page.status_code == 404
    assert "<html" in page.text
    fragment = client.get("/p/99/", headers={"HX-Request": "true"})
    assert fragment.status_code == 404
    assert "<html" not in fragment.text
    assert "HX-Request" in fragment.headers["Vary"]
    answer = client.get("/p/99/", headers={"Accept": "application/json"})
    assert "no such project" in answer.get_json()["error"]


def test_an_unexpected_error_tells_a_browser_nothing_but_that_it_is_logged(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.projects import service

    def break_down() -> None:
        raise RuntimeError("secret detail")

    app.testing = False
    monkeypatch.setattr(service, "list_projects", break_down)
    response = client.get("/")
    assert response.status_code == 500
    assert "secret detail" not in response.text
    assert "log/web.log" in response.text


def test_a_full_disk_is_said_as_such(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp.projects import service

    def fill() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service, "list_projects", fill)
    response = client.get("/")
    assert response.status_code == 507
    assert "free some space" in response.text
