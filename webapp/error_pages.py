"""One table from domain errors to HTTP: a page for a browser, a fragment for htmx, an object for a program."""

import errno
import logging

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from webapp import errors
from webapp.db import DISK_FAILED, DISK_FULL
from webapp.htmx import is_htmx
from webapp.models import db

STATUS = {
    errors.NotFound: (404, "Not found"),
    errors.Invalid: (400, "That did not fit"),
    errors.Forbidden: (403, "Not allowed"),
    errors.SignInNeeded: (401, "Please sign in"),
    errors.Busy: (409, "Already running"),
    errors.Stale: (409, "It changed meanwhile"),
    errors.Unavailable: (503, "Not reachable"),
    errors.Damaged: (500, "Damaged"),
    errors.DiskFailed: (500, "Disk failed"),
    errors.DiskFull: (507, "Disk full"),
}
SENTENCES = {
    400: "The request could not be read; go back, reload the page and try again.",
    404: "There is nothing at this address; go back to the projects.",
    405: "This address does not take that kind of request; go back and use the page's buttons.",
    413: "The upload is larger than this server takes (ERRATA_UPLOAD_MB); split it or use `errata import`.",
    500: "Something went wrong on the server; nothing was saved. The details are in log/web.log.",
}
UNKNOWN_HOST = "This server is not known under that name; add the name to ERRATA_TRUSTED_HOSTS if it should be."

log = logging.getLogger("errata.web")


def error_response(status: int, title: str, message: str, *, fields: dict[str, str] | None = None) -> Response:
    accepts = request.accept_mimetypes
    if accepts["application/json"] > accepts["text/html"]:
        response = jsonify(error=message, fields=fields or {})
    else:
        template = "errors/_message.html" if is_htmx() else "errors/page.html"
        text = render_template(template, status=status, title=title, message=message, fields=fields or {})
        response = make_response(text)
    response.status_code = status
    if is_htmx():
        # Into the page's notice, never over the work that was being sent.
        response.headers["HX-Retarget"] = "#notice"
        response.headers["HX-Reswap"] = "innerHTML"
    response.vary.update(("HX-Request", "Accept"))
    return response


def _domain_error(error: errors.ErrataError) -> Response:
    status, title = next(
        (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "Something went wrong")
    )
    return error_response(status, title, str(error), fields=error.fields if isinstance(error, errors.Invalid) else None)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, SecurityError):  # an unknown host: no address of ours can be built for it, so no page either
        return Response(f"{UNKNOWN_HOST}\n", status=status, mimetype="text/plain")
    if status < 400:
        return make_response(error.get_response())
    return error_response(status, error.name, SENTENCES.get(status, error.description or error.name))


def _csrf_error(error: CSRFError) -> Response:
    message = "This form has expired, so nothing was saved; reload the page and send it again."
    return error_response(403, "Form expired", message)


def _os_error(error: OSError) -> Response:
    if error.errno == errno.ENOSPC:
        return _domain_error(errors.DiskFull(DISK_FULL))
    if error.errno == errno.EIO:
        return _domain_error(errors.DiskFailed(DISK_FAILED))
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    if current_app.testing:
        raise error
    log.exception("%s %s failed", request.method, request.path)
    db.session.rollback()
    return error_response(500, "Something went wrong", SENTENCES[500])


def init_app(app: Flask) -> None:
    app.register_error_handler(errors.ErrataError, _domain_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OSError, _os_error)
    app.register_error_handler(Exception, _unexpected)
