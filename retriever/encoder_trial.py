"""Whether a fine-tuned encoder finds held-out questions' passages better: a trial on part of the folds, as each costs minutes."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.embedder import SentenceEmbedder
from retriever.finetuning import TuningConfig, fine_tune
from retriever.index import HybridIndex, passage_text
from retriever.school import Option, School, unchanging
from retriever.types import Report

TRIALS = 2  # folds tried: half of the questions are held out once
MOST_EMBEDDED = 2_000  # passages embedded for a trial; of a larger corpus those that come into question
NEAR = 50  # passages of each held-out question that come into question
ENCODER = "encoder"
"""The folder of an encoder within its artefact."""


@dataclass(frozen=True)
class Tuning:
    """``embedder`` made the vectors that the choice is between; ``folder`` is for trials, and for the encoder when one is chosen."""

    embedder: SentenceEmbedder
    folder: Path
    config: TuningConfig = field(default_factory=TuningConfig)


@dataclass(frozen=True)
class Measured:
    """nDCG@10 and recall@5 of held-out questions by an option, and ``before`` of the same by nothing, each ``(n, 2)``."""

    option: Option
    scores: NDArray[np.float64]
    before: NDArray[np.float64]


def try_encoder(
    school: School, tuning: Tuning, options: Sequence[Option], *, seed: int, report: Report | None = None
) -> list[Measured]:
    """How the tuned ``options`` do on questions that the encoder was not trained on. Raises ``RetrieverError`` when it collapses."""
    before: list[NDArray[np.float64]] = []
    after: list[list[NDArray[np.float64]]] = [[] for _ in options]
    for number, held_out in enumerate(school.folds[:TRIALS]):
        place = tuning.folder / f"trial-{number}"
        tuned = train_encoder(school, tuning, school.rest(held_out), place, seed=seed, report=_part(report, number))
        passages = [school.index.passage(id) for id in _candidates(school, held_out)]
        old = school.index.vectors_of([passage.id for passage in passages])
        plain = HybridIndex.build(passages, old, embedder_identity=school.index.embedder_identity)
        anew = tuned.encode([passage_text(passage) for passage in passages], report=_cancelling(report, number))
        index = HybridIndex.build(passages, anew, embedder_identity=tuned.identity)
        nothing = unchanging(Option("nothing"), dimension=index.dimension, embedder_identity=tuned.identity)
        before.append(school.examine(plain, nothing, held_out, school.vectors[held_out]))
        asked = tuned.encode([school.taught[row].text for row in held_out])
        for option, scores in zip(options, after, strict=True):
            ranking = school.rank(
                option, school.rest(held_out), dimension=index.dimension, embedder_identity=tuned.identity
            )
            scores.append(school.examine(index, ranking, held_out, asked))
        shutil.rmtree(place)
    return [
        Measured(option, np.concatenate(scores), np.concatenate(before))
        for option, scores in zip(options, after, strict=True)
    ]


def train_encoder(
    school: School, tuning: Tuning, rows: Sequence[int], place: Path, *, seed: int, report: Report | None
) -> SentenceEmbedder:
    """Fine-tuned on the lessons ``rows`` and saved at ``place``, where an earlier attempt may have left something."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    config = replace(tuning.config, seed=seed)
    return fine_tune(tuning.embedder, school.triples(rows), place, config=config, report=report)


def _candidates(school: School, held_out: Sequence[int]) -> list[int]:
    index = school.index
    if len(index) <= MOST_EMBEDDED:
        return index.ids
    right = [id for row in held_out for id in school.taught[row].right if id in index]
    near = index.search_ids([school.taught[row].text for row in held_out], school.vectors[list(held_out)], k=NEAR)
    by_rank = [ids[rank] for rank in range(NEAR) for ids in near if rank < len(ids)]
    return list(dict.fromkeys([*right, *by_rank]))[:MOST_EMBEDDED]


def _part(report: Report | None, number: int) -> Report | None:
    if report is None:
        return None
    return lambda fraction, message: report((number + 0.5 * fraction) / TRIALS, message)


def _cancelling(report: Report | None, number: int) -> Report | None:
    if report is None:
        return None
    return lambda fraction, message: report(
        (number + 0.5 + 0.5 * fraction) / TRIALS, f"The retriever: a trial. {message}"
    )
