"""Same address, same context, two sizes: a whole page, or for htmx the block that is swapped in."""

from typing import Any

from flask import Flask, Response, make_response, render_template, request
from jinja2_fragments.flask import render_block


def is_htmx() -> bool:
    """Whether a fragment is wanted: htmx asks, and not to rebuild a page from its history or for a boosted link."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-History-Restore-Request") != "true"
        and headers.get("HX-Boosted") != "true"
    )


def render(template: str, block: str | None = None, **context: Any) -> Response:
    """The block named ``block`` of the template when htmx asks, the whole template otherwise."""
    text = render_block(template, block, **context) if block and is_htmx() else render_template(template, **context)
    response = make_response(text)
    response.vary.add("HX-Request")
    return response


def redirect_to(location: str) -> Response:
    """Go to another page: a redirect for forms, ``HX-Redirect`` for htmx (which would swap a redirect's page into a part)."""
    response = make_response("", 204 if is_htmx() else 303)
    response.headers["HX-Redirect" if is_htmx() else "Location"] = location
    response.vary.add("HX-Request")
    return response


def init_app(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    # A global, because a block rendered alone never runs the imports at the top of its file.
    app.jinja_env.globals["ui"] = app.jinja_env.get_template("_macros.html").module
    app.context_processor(_page_context)


def _page_context() -> dict[str, Any]:
    from webapp.health import health_line
    from webapp.people.service import current_person

    return {"person": current_person(), "health_line": health_line, "is_htmx": is_htmx()}
