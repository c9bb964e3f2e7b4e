"""The gate's own question, whether a candidate is better than the model in service, answered in one plain sentence. Pure."""

from collections.abc import Mapping
from typing import Any

from webapp.iterations.compare import RETRIEVAL
from webapp.iterations.gate import TOLERANCE, Refused

LOST = "it lost too much elsewhere"
REFUSES = "it refuses too many questions that have an answer"
SMALLEST_POINTS = 0.05  # less would be shown as 0.0

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
        said = f"{'Yes' if found['low'] > 0 else 'Probably'}: {_moved(name, found)}, and nothing speaks against it"
    elif gate["decision"] == "ask":
        said = _asked(gate, name)
    else:
        said = _held(gate, name)
    return f"{said}, {AFTERWARDS[gate['decision']]}."


def _asked(gate: Mapping[str, Any], name: str) -> str:
    found = gate["interval"]
    if gate.get("overtaken_by") is not None:
        return f"Nobody can tell yet: {_moved(name, found)}, but release {gate['overtaken_by']} went into service since"
    if _is_gain(found):
        return f"In part: {_moved(name, found)}, but not everything speaks for it"
    risen = {one["name"] for one in gate.get("watched", ()) if one["kind"] == "retrieval" and one["low"] > 0}
    how = "comes earlier" if risen == {RETRIEVAL["mrr_at_10"]} else "is found more often"
    return f"In part: the right passage {how}, but {_moved(name, found)}"


def _held(gate: Mapping[str, Any], name: str) -> str:
    found = gate["interval"]
    if found["difference"] <= 0:
        return f"No: {_moved(name, found)}"
    against = _objection(gate)
    if _is_gain(found):
        return f"Not on the whole: {_moved(name, found)}, but {against or LOST}"
    return f"{'No' if against else 'Perhaps'}: {_moved(name, found)}, which may be chance{f', and {against}' if against else ''}"


def _objection(gate: Mapping[str, Any]) -> str:
    """What held it besides its own gain; "" when nothing did. A gate of old did not keep whether a guard fell too far."""
    refused = Refused(**gate["refused"]) if gate.get("refused") else None
    if gate.get("has_lost"):
        return LOST
    return REFUSES if refused is not None and refused.is_over and not refused.has_gained else ""


def _is_gain(found: Mapping[str, Any]) -> bool:
    return found["difference"] > 0 and found["low"] >= -TOLERANCE


def _moved(name: str, found: Mapping[str, Any]) -> str:
    on = f"on {found['n']} test {'question' if found['n'] == 1 else 'questions'}"
    points = 100 * found["difference"]
    if not points:
        return f"{name} stayed the same {on}"
    size = f"{abs(points):.1f}" if abs(points) >= SMALLEST_POINTS else "less than 0.1"
    return f"{name} {'rose' if points > 0 else 'fell'} by {size} points {on}"
