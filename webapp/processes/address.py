"""The address that all web processes answer at: one listening socket, bound once and handed on."""

import errno
import socket

from webapp.errors import Busy, Invalid
from webapp.settings import Settings

BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Raises :class:`OSError`; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def open_address(settings: Settings, *, may_choose: bool) -> socket.socket:
    """Listen on the port of the settings. Raises :class:`Busy` when it is taken and another may not be chosen."""
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise Invalid(
                f"Nothing can listen on {settings.host} port {settings.port} ({error.strerror}); choose another address "
                "(ERRATA_HOST) or port (ERRATA_PORT)."
            ) from error
    if may_choose:
        return listen(settings.host, 0)
    raise Busy(
        f"Port {settings.port} on {settings.host} is in use; stop the program that uses it or choose another port, "
        f"for example `errata serve --port {settings.port + 1}`."
    )
