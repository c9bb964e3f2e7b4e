"""A running engine, in a thread of the test's own process."""

import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from webapp.engine import client as engine_client
from webapp.errors import Unavailable
from webapp.models import db
from webapp.processes.engine import run


@pytest.fixture
def engine(app: Flask) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(app,), kwargs={"stop": stop}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not _is_up():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        stop.set()
        thread.join(10)


def _is_up() -> bool:
    db.session.rollback()
    try:
        return bool(engine_client.engine_url())
    except Unavailable:
        return False
