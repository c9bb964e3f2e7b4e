"""Progress on the command line: a slow machine is not taken for a stuck one."""

import re
import time

import pytest

from webapp.cli.ticking import ticking


def test_it_goes_on_telling_what_is_under_way_and_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with ticking(every_s=0.05) as tell:
        tell.say("Building the index")
        time.sleep(0.5)
        tell.report(0.5, "Embedded 90 of 179 passages")
        time.sleep(0.5)
    printed = capsys.readouterr()
    assert printed.out == "Building the index\n"
    lines = printed.err.splitlines()
    assert re.fullmatch(r"  still at it, \d+ s", lines[0])
    assert re.fullmatch(r"  Embedded 90 of 179 passages, \d+ s", lines[-1])
    time.sleep(0.15)
    assert capsys.readouterr().err == ""  # nothing more once it is over
