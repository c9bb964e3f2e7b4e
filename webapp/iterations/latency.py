"""How long each model takes to retrieve for and answer the same questions, asked one at a time and in turns.

In turns, so that whatever else the machine does slows both alike; the median, so that one hiccup does not count. A busy machine
can still favour one side over a few questions, so the ratio has an interval too: only a slowness that is sure counts.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence

from training.bootstrap import paired_interval
from webapp.iterations.gate import Latency

TIMES = 20  # fewer questions than this are asked again
Ask = Callable[[str], object]


def measure_latency(
    before: Ask, after: Ask, texts: Sequence[str], *, limit: float, report: Callable[[float], None]
) -> Latency | None:
    """None without a question. The first question is asked once more beforehand, as a first call does work no other does."""
    if not texts:
        return None
    asked = [texts[number % len(texts)] for number in range(TIMES)]
    for ask in (before, after):
        ask(asked[0])
    taken: tuple[list[float], list[float]] = ([], [])
    for number, text in enumerate(asked):
        report(number / len(asked))
        turn = ((before, 0), (after, 1))
        for ask, side in turn if number % 2 == 0 else turn[::-1]:
            began = time.perf_counter()
            ask(text)
            taken[side].append(time.perf_counter() - began)
    old, new = ([math.log(max(seconds, 1e-6)) for seconds in side] for side in taken)
    surely = math.exp(paired_interval(old, new).low)
    return Latency(statistics.median(taken[0]), statistics.median(taken[1]), min(len(texts), TIMES), limit, surely)
