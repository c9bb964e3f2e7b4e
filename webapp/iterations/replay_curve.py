"""Learning curves as a picture: one panel for each figure, one line for each replay, over the labels behind each measured model.

Plain SVG without scripts or outside files, so that it opens in any browser and prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

PANELS = {
    "span_f1": "F1 of the best answer, answerable questions (%)",
    "answerability_auroc": "Answerable or not, AUROC (%)",
    "answerable_f1_at_75": "Answerable F1, 75 % of the unanswerable recognised (%)",
    "f1": "F1 over all questions (%)",
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c8c8c")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 360, 250, 46, 34, 44
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Line:
    """One replay: its name and ``(labels, metrics)`` of each of its rounds."""

    name: str
    points: tuple[tuple[int, dict[str, float]], ...]


def line_of(curve: dict[str, Any]) -> Line:
    """The line of a replay's printed result. Raises ``ValueError`` for anything else."""
    try:
        points = tuple((int(one["labels"]), dict(one["metrics"])) for one in curve["rounds"])
        name = f"{curve['project']}: {curve['strategy']}, seed {curve['seed']}"
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("it is not what `errata replay --json` prints") from error
    return Line(name, points)


def draw(lines: Sequence[Line]) -> str:
    """The picture. Figures that no line has are left out."""
    known = [name for name in PANELS if any(name in metrics for line in lines for _, metrics in line.points)]
    high = TOP + HEIGHT + BOTTOM
    legend = "".join(_legend(number, line.name, high) for number, line in enumerate(lines))
    panels = "".join(_panel(name, lines, place * (WIDTH + LEFT + 20)) for place, name in enumerate(known))
    width, height = max(len(known), 1) * (WIDTH + LEFT + 20), high + 18 * len(lines) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>Learning curves</title><rect width="100%" height="100%" fill="#fff"/>'
        f"{panels}{legend}</svg>\n"
    )


def _legend(number: int, name: str, high: int) -> str:
    y, colour = high + 18 * number, COLOURS[number % len(COLOURS)]
    mark = f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
    return f'{mark}<text x="{LEFT + 32}" y="{y + 4}">{escape(name)}</text>'


def _panel(name: str, lines: Sequence[Line], x: int) -> str:
    series = [[(labels, 100 * metrics[name]) for labels, metrics in line.points if name in metrics] for line in lines]
    most = max(labels for one in series for labels, _ in one)
    values = [value for one in series for _, value in one]
    low, high = 10 * int(min(values) // 10), 10 * int(max(values) // 10 + 1)

    def place(labels: float, value: float) -> tuple[float, float]:
        return LEFT + WIDTH * labels / most, TOP + HEIGHT * (high - value) / (high - low)

    rows = "".join(_row(tick, place(0, tick)[1]) for tick in _ticks(low, high))
    columns = "".join(_column(tick, place(tick, low)[0]) for tick in _ticks(0, most))
    drawn = "".join(_line([place(*point) for point in one], COLOURS[i % len(COLOURS)]) for i, one in enumerate(series))
    title = f'<text x="{LEFT}" y="18" font-weight="bold">{escape(PANELS[name])}</text>'
    below = f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 36}" text-anchor="middle">Labels</text>'
    return f'<g transform="translate({x} 0)">{title}{rows}{columns}{below}{drawn}</g>'


def _ticks(low: int, high: int) -> list[int]:
    step = next((step for step in STEPS if (high - low) / step <= 6), STEPS[-1])
    return list(range(low, high + 1, step))


def _row(value: int, y: float) -> str:
    rule = f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
    return f'{rule}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>'


def _column(labels: int, x: float) -> str:
    foot = TOP + HEIGHT
    tick = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 5}" stroke="#888"/>'
    return f'{tick}<text x="{x:.1f}" y="{foot + 18}" text-anchor="middle">{labels}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    strokes = "".join(
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{colour}" stroke-width="2"/>'
        for a, b in pairwise(points)
    )
    return strokes + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
