"""The log of an iteration as its curves: whole after a kill, a resume, and thousands of steps."""

import json
from pathlib import Path

from training.tasks import get_task
from webapp.iterations import progress


def test_the_log_survives_a_torn_line_and_a_resume(tmp_path: Path):
    append = progress.writer(tmp_path)
    append({"step": 1, "loss": 2.0})
    append({"step": 2, "loss": 1.0})
    with (tmp_path / progress.FILE).open("a") as file:
        file.write('{"step": 3, "lo')
    with (tmp_path / progress.FILE).open("a") as file:
        file.write("\n" + json.dumps({"step": 2, "loss": 1.5, "validation_f1": 0.25}) + "\n")
    assert progress.read_log(tmp_path) == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5, "validation_f1": 0.25}]
    figures = progress.chart(tmp_path, "loss", get_task("qa"), live=True)
    assert figures["series"][0]["points"] == [[1, 2.0], [2, 1.5]]


def test_a_curve_without_points_says_why(tmp_path: Path):
    said = []
    for live in (True, False):
        said += [progress.chart(tmp_path, "validation_f1", get_task("qa"), live=live)["empty"]]
        progress.writer(tmp_path)({"step": 1, "loss": 2.0})
    said += [progress.chart(tmp_path, "validation_f1", get_task("qa"), live=True)["empty"]]
    assert ["waits for its turn" in said[0], "wrote no such" in said[1], "still to come" in said[2]] == [True] * 3


def test_a_long_log_is_thinned_but_keeps_its_ends(tmp_path: Path):
    lines = "".join(json.dumps({"step": i, "loss": 1 / i}) + "\n" for i in range(1, 5001))
    (tmp_path / progress.FILE).write_text(lines)
    points = progress.chart(tmp_path, "loss", get_task("qa"), live=False)["series"][0]["points"]
    assert len(points) <= progress.POINTS_AT_MOST + 1
    assert (points[0][0], points[-1][0]) == (1, 5000)
