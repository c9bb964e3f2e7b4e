"""An answer as JSON and back, between the engine and its client."""

from dataclasses import asdict, dataclass
from typing import Any

from retriever.types import Hit
from training.types import Prediction
from webapp.releases.serving import Answered

KEY_HEADER = "X-Errata-Key"


@dataclass(frozen=True)
class EngineAnswer:
    """What the champion said; ``release_id`` is the release that really answered."""

    release_id: int
    answered: Answered


def to_json(answer: EngineAnswer) -> dict[str, Any]:
    return {"release_id": answer.release_id, "answered": asdict(answer.answered)}


def from_json(value: dict[str, Any]) -> EngineAnswer:
    parts = value["answered"]
    hits = tuple(Hit(**{**hit, "terms": tuple(hit["terms"])}) for hit in parts["hits"])
    answered = Answered(hits, Prediction(**parts["prediction"]), parts["retrieval_s"], parts["answer_s"])
    return EngineAnswer(int(value["release_id"]), answered)
