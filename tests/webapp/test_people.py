"""Links, sign-ins, roles."""

from flask.testing import FlaskClient


def test_a_link_signs_in_once(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200


def test_nobody_gets_in_without_a_link(anonymous: FlaskClient) -> None:
    response = anonymous.get("/")
    assert response.status_code == 401
    assert "errata user link" in response.text
