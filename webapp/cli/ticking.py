"""Progress that shows a slow machine at work: what it is doing, how far it is, and for how long already."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

REWRITTEN_EVERY_S = 1.0  # on a terminal: one line that rewrites itself
TOLD_EVERY_S = 10.0  # in a pipe or a log: a line of its own
WIDTH = 78


class Ticking(NamedTuple):
    """``say`` prints a line that stays; ``report`` is what the work under way calls with its fraction and message."""

    say: Callable[[str], None]
    report: Callable[[float, str], None]


@contextlib.contextmanager
def ticking(*, every_s: float | None = None) -> Iterator[Ticking]:
    """Tells the last message again and again, with the seconds since the last line that stays, also where the work reports nothing."""
    is_terminal = sys.stderr.isatty()
    pause_s = every_s or (REWRITTEN_EVERY_S if is_terminal else TOLD_EVERY_S)
    done, latest, since = threading.Event(), [""], [time.monotonic()]

    def clear() -> None:
        if is_terminal:
            click.echo(f"\r{'':<{WIDTH}}\r", err=True, nl=False)

    def say(line: str) -> None:
        latest[0], since[0] = "", time.monotonic()
        clear()
        click.echo(line)

    def report(_fraction: float, message: str) -> None:
        latest[0] = message

    def tell() -> None:
        while not done.wait(pause_s):
            line = f"  {latest[0] or 'still at it'}, {time.monotonic() - since[0]:.0f} s"[:WIDTH]
            click.echo(f"\r{line:<{WIDTH}}" if is_terminal else line, err=True, nl=not is_terminal)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield Ticking(say, report)
    finally:
        done.set()
        teller.join()
        clear()
