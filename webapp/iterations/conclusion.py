"""The gate's own question, whether a candidate is better than the model in service, answered in one plain sentence. Pure."""

from collections.abc import Mapping
from typing import Any

from webapp.iterations.gate import TOLERANCE

AFTERWARDS = {
    "promote": "so the gate promoted it",
    "hold": "so the gate held it back",
    "ask": "so the gate left it to a person",
}


def conclude(gate: Mapping[str, Any], name: str) -> str:
    """``gate`` as an iteration keeps it; ``name`` is what the metric it judged is called on pages."""
    found = gate["interval"]
    if found["n"] == 0:
        said = "Nobody can tell: there is no test question to compare them on"
    elif gate["decision"] == "promote":
        said = f"{'Yes' if found['low'] > 0 else 'Probably'}: {_moved(name, found)}, and nothing else speaks against it"
    elif gate["decision"] == "ask":
        said = _asked(name, found)
    else:
        said = _held(name, found)
    return f"{said}, {AFTERWARDS[gate['decision']]}."


def _asked(name: str, found: Mapping[str, Any]) -> str:
    if _is_gain(found):
        return f"In part: {_moved(name, found)}, but not everything speaks for it"
    return f"In part: the right passage is found more often, but {_moved(name, found)}"


def _held(name: str, found: Mapping[str, Any]) -> str:
    if found["difference"] <= 0:
        return f"No: {_moved(name, found)}"
    if _is_gain(found):
        return f"Not on the whole: {_moved(name, found)}, but it lost too much elsewhere"
    return f"Perhaps: {_moved(name, found)}, which may be chance"


def _is_gain(found: Mapping[str, Any]) -> bool:
    return found["difference"] > 0 and found["low"] >= -TOLERANCE


def _moved(name: str, found: Mapping[str, Any]) -> str:
    points = 100 * found["difference"]
    how = f"{'rose' if points > 0 else 'fell'} by {abs(points):.1f} points" if points else "stayed the same"
    return f"{name} {how} on {found['n']} test {'question' if found['n'] == 1 else 'questions'}"
