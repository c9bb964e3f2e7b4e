"""What an address asks a page to show."""

from collections.abc import Collection

from flask import request

from webapp.errors import Invalid


def chosen(name: str, known: Collection[str]) -> str:
    """The parameter ``name`` of the address, "" where it is not given. Raises :class:`Invalid` where it is not one of ``known``: a page that
    left it out would look filtered."""
    value = request.args.get(name, "")
    if value and value not in known:
        raise Invalid(
            f"The address says {name}={shortened(value)}; expected one of {', '.join(one for one in known if one)}, or none."
        )
    return value


def shortened(value: str) -> str:
    """What came, as a sentence of an error repeats it."""
    return value if len(value) <= 40 else value[:40] + "…"
