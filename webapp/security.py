"""What every response and every unsafe request must carry: headers, same origin, CSRF token, a known host."""

import datetime as dt
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect

from webapp.errors import Forbidden
from webapp.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

csrf = CSRFProtect()


def _add_headers(response: Response) -> Response:
    headers = response.headers
    is_download = headers.get("Content-Disposition", "").startswith("attachment")
    headers["Content-Security-Policy"] = f"sandbox; {POLICY}" if is_download else POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response


def _refuse_foreign_origin() -> None:
    """The browser says where an unsafe request comes from; one from another site is refused whatever else it carries."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return
    origin = request.headers.get("Origin")
    is_foreign = site is not None or (origin is not None and urlsplit(origin).netloc != request.host)
    if is_foreign:
        raise Forbidden(
            "This form was sent from another site, so nothing was changed; open the page here and send it again."
        )


def _trusted_hosts(settings: Settings) -> list[str]:
    names = [name.strip() for name in settings.trusted_hosts.split(",") if name.strip()]
    return ["127.0.0.1", "localhost", "[::1]", *names]


def init_app(app: Flask) -> None:
    settings: Settings = app.config["ERRATA"]
    app.config.update(
        TRUSTED_HOSTS=_trusted_hosts(settings),
        MAX_CONTENT_LENGTH=settings.upload_mb * 1024 * 1024,
        MAX_FORM_PARTS=1000,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=dt.timedelta(days=7),
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page may stay open all day
        WTF_CSRF_SSL_STRICT=False,  # the Origin check below does this without needing a Referer
    )
    app.before_request(_refuse_foreign_origin)
    csrf.init_app(app)
    app.after_request(_add_headers)
