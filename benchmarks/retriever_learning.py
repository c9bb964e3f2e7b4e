"""What 200 judged pairs are worth to the retriever on questions that it has not seen: memory, adapter, ranking, what validation chooses.

    python benchmarks/retriever_learning.py --feedback feedbackqa.jsonl --json
    python benchmarks/retriever_learning.py --corpus docs.jsonl --questions queries.jsonl --seeds 0 1 2 --json

``--feedback`` rows have ``question``, ``passage``, ``title``, ``passage_id``, ``ratings`` and optionally ``headers``: a passage is right when
everybody rates it Excellent or Acceptable, wrong when nobody does. ``--corpus`` and ``--questions`` are as in ``retrieve.py``; of
each question's right documents at most ``--per-question`` are judged. Files may be gzipped. Questions are halved by a hash of their
wording: the first half is for choosing settings (``--half development``), figures are of the other (``--half measured``). Each seed draws
other questions to judge; the unjudged questions of the half are the test.
"""

import argparse
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from retrieve import Collection, graded_collection, read_lines, set_threads, split_documents

from retriever.embedder import Embedder, SentenceEmbedder, load_embedder
from retriever.encoder_trial import Tuning, train_encoder
from retriever.evaluate import ndcg, recall_at
from retriever.finetuning import has_bfloat16
from retriever.index import HybridIndex, passage_text
from retriever.learning import NOTHING, OPTIONS, Choice, choose
from retriever.memory import Memory, Remembered
from retriever.school import School, Taught, ranked_ids, unchanging

GRADES = {"Excellent": 2.0, "Acceptable": 1.0}
RESAMPLES = 2000
ADAPTER = next(option for option in OPTIONS if option.name == "an adapter")
ECHO = next(option for option in OPTIONS if option.echo)
RANKING = next(option for option in OPTIONS if option.is_reranked)


@dataclass
class Judged:
    """A collection with what judges rejected, and its vectors by the plain embedder."""

    collection: Collection
    rejected: list[list[str]]
    vectors: NDArray[np.float32]
    asked: NDArray[np.float32]
    embedder: Embedder


@dataclass
class Trial:
    """What one seed judged, and the questions (rows of ``data``) that it is measured on."""

    data: Judged
    index: HybridIndex
    judged: list[int]
    taught: list[Taught]
    rows: list[int]
    seed: int

    @property
    def texts(self) -> list[str]:
        return [self.data.collection.questions[row] for row in self.rows]

    @property
    def vectors(self) -> NDArray[np.float32]:
        return self.data.asked[self.rows]

    def school(self) -> School:
        return School(self.index, self.taught, self.data.asked[self.judged], seed=self.seed)


def feedback_collection(path: Path, embedder: Embedder) -> tuple[Collection, list[list[str]]]:
    rows = read_lines(path)
    documents = {
        row["passage_id"]: (row["passage_id"], " · ".join([row["title"], *row.get("headers", [])]), row["passage"])
        for row in rows
    }
    passages, document = split_documents(list(documents.values()), embedder)
    asked = list(dict.fromkeys(row["question"] for row in rows))
    grades: dict[str, dict[str, float]] = {question: {} for question in asked}
    rejected: dict[str, list[str]] = {question: [] for question in asked}
    for row in rows:
        if all(rating in GRADES for rating in row["ratings"]):
            grades[row["question"]][row["passage_id"]] = statistics.fmean(GRADES[rating] for rating in row["ratings"])
        elif not any(rating in GRADES for rating in row["ratings"]):
            rejected[row["question"]].append(row["passage_id"])
    found = Collection(path.name, passages, document, asked, [grades[question] for question in asked])
    return found, [rejected[question] for question in asked]


def is_measured(question: str) -> bool:
    return hashlib.sha256(question.encode()).digest()[0] % 2 == 1


def draw(
    data: Judged, *, half: str, pairs: int, per_question: int, seed: int
) -> tuple[list[int], list[int], list[Taught]]:
    """Rows of the judged questions and of the others, and what was judged: ``pairs`` (question, right passage) pairs."""
    collection = data.collection
    rows = [
        row
        for row, question in enumerate(collection.questions)
        if collection.grades[row] and is_measured(question) == (half == "measured")
    ]
    chooser = random.Random(seed)
    chooser.shuffle(rows)
    pieces: dict[str, list[int]] = {}
    for passage, document in collection.document.items():
        pieces.setdefault(document, []).append(passage)
    judged, taught, count = [], [], 0
    for row in rows[: len(rows) * 2 // 3]:
        if count >= pairs:
            break
        right = [name for name in collection.grades[row] if name in pieces]
        right = chooser.sample(right, min(per_question, len(right), pairs - count))
        near = [max(pieces[name], key=lambda id: data.vectors[id] @ data.asked[row]) for name in right]
        wrong = [id for name in data.rejected[row] for id in pieces[name]]
        if near:
            judged.append(row)
            taught.append(Taught(collection.questions[row], tuple(near), tuple(wrong)))
            count += len(near)
    hidden = set(judged)
    return judged, [row for row in rows if row not in hidden], taught


def figures_of(data: Judged, rows: Sequence[int], ranked: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """recall@5 and nDCG@10 by document of each question, ``(len(rows), 2)``."""
    scores = []
    for row, ids in zip(rows, ranked, strict=True):
        documents = list(dict.fromkeys(data.collection.document[id] for id in ids))
        grades = data.collection.grades[row]
        scores.append((recall_at(documents, grades, 5), ndcg(documents, grades, k=10)))
    return np.array(scores)


def index_of(data: Judged, vectors: NDArray[np.float32]) -> HybridIndex:
    return HybridIndex.build(data.collection.passages, vectors, embedder_identity=data.embedder.identity)


def with_memory(trial: Trial) -> list[list[int]]:
    questions, asked = trial.data.collection.questions, trial.data.asked
    remembered = [
        Remembered(row, item.text, item.right, item.wrong) for row, item in zip(trial.judged, trial.taught, strict=True)
    ]
    known = {questions[row]: asked[row] for row in trial.judged}
    memory = Memory.empty().with_remembered(remembered, encode=lambda texts: np.stack([known[text] for text in texts]))
    hits = trial.index.search_many(trial.texts, trial.vectors, k=30, lifts=memory.recall(trial.vectors))
    return [[hit.passage for hit in found] for found in hits]


def learned(trial: Trial) -> tuple[dict[str, list[list[int]]], Choice]:
    """The rankings by an adapter and by a learned ranking, chosen or not, the one by what is chosen, and the choice."""
    index, texts, vectors, school = trial.index, trial.texts, trial.vectors, trial.school()
    everything = range(len(trial.taught))
    ways = {
        f"{option.name}, always": ranked_ids(index, school.train(option, everything), texts, vectors, k=30)
        for option in (ADAPTER, RANKING)
    }
    choice = choose(index, trial.taught, trial.data.asked[trial.judged], seed=trial.seed)
    taken = choice.adapter or unchanging(NOTHING, dimension=index.dimension, embedder_identity=index.embedder_identity)
    return {**ways, "what validation chose": ranked_ids(index, taken, texts, vectors, k=30)}, choice


def fine_tuned(trial: Trial) -> dict[str, list[list[int]]]:
    """The rankings by an encoder fine-tuned on all that was judged, chosen or not: as fused, with a second search, and learned."""
    data, texts = trial.data, trial.texts
    if not isinstance(data.embedder, SentenceEmbedder):
        raise SystemExit("--tune needs an embedder with weights, such as minilm.")
    with tempfile.TemporaryDirectory() as folder:
        tuning = Tuning(data.embedder, Path(folder))
        began = time.process_time()
        everything = range(len(trial.taught))
        school = trial.school()
        tuned = train_encoder(school, tuning, everything, Path(folder, "encoder"), seed=trial.seed, report=None)
        trained = time.process_time()
        vectors, again = (
            embed_fast(tuned, texts),
            index_of(data, embed_fast(tuned, [passage_text(passage) for passage in data.collection.passages])),
        )
    ranking = school.rank(RANKING, everything, dimension=tuned.dimension, embedder_identity=tuned.identity)
    print(
        f"{trained - began:.0f} processor seconds of fine-tuning, {time.process_time() - trained:.0f} of embedding",
        flush=True,
    )
    return {
        "fine-tuned encoder, always": again.search_ids(texts, vectors, k=30),
        "fine-tuned, second search, always": again.search_ids(
            texts, again.echoed(texts, vectors, weight=ECHO.echo), k=30
        ),
        "fine-tuned, learned ranking, always": ranked_ids(again, ranking, texts, vectors, k=30),
    }


def embed_fast(embedder: Embedder, texts: list[str]) -> NDArray[np.float32]:
    """As the embedder does but multiplied as bfloat16 where the processor can: half the time, cosines of 0.99999 with 32 bits."""
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bfloat16()):
        return embedder.encode(texts).astype(np.float32)


def compare(name: str, before: list[NDArray[np.float64]], after: list[NDArray[np.float64]]) -> dict[str, Any]:
    """Means over seeds, the relative gain, and its 95 % interval by resampling questions within seeds."""
    chance, found = np.random.default_rng(0), {}
    for column, metric in enumerate(("recall_at_5", "ndcg_at_10")):
        gains = []
        for _ in range(RESAMPLES):
            picks = [chance.integers(0, len(one), len(one)) for one in before]
            old = np.concatenate([one[pick, column] for one, pick in zip(before, picks, strict=True)]).mean()
            new = np.concatenate([one[pick, column] for one, pick in zip(after, picks, strict=True)]).mean()
            gains.append(new / old - 1)
        old, new = (float(np.concatenate(side)[:, column].mean()) for side in (before, after))
        found[metric] = {
            "before": round(old, 4), "after": round(new, 4), "relative": round(new / old - 1, 4),
            "interval": [round(float(value), 4) for value in np.quantile(gains, (0.025, 0.975))],
        }  # fmt: skip
    return {"way": name, **found}


def time_memory(data: Judged, index: HybridIndex) -> dict[str, float]:
    """Median seconds from one more label, on top of all others, to the ranking that it changed: embedding it and a like question included."""
    questions, ids = data.collection.questions, index.ids
    remembered = [Remembered(row, text, (ids[row % len(ids)],)) for row, text in enumerate(questions)]
    known = Memory.empty().with_remembered(remembered, encode=lambda texts: data.asked[: len(texts)])
    times = []
    for number, text in enumerate(questions[:20]):
        label = Remembered(len(remembered) + number, f"{text} Please say.", (ids[-1],))
        began = time.perf_counter()
        memory = known.with_remembered([*remembered, label], encode=data.embedder.encode)
        asked = data.embedder.encode([f"{text} Please tell."])
        hits = index.search_many([text], asked, k=5, lifts=memory.recall(asked))[0]
        times.append(time.perf_counter() - began)
        assert any(hit.lift_label == label.label for hit in hits)
    return {"remembered": len(remembered), "seconds": round(statistics.median(times), 4)}


def measure(data: Judged, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    index = index_of(data, data.vectors)
    if arguments.time:
        print(
            f"{data.collection.name}: one more label moves the ranking, {json.dumps(time_memory(data, index))}",
            flush=True,
        )
    scores: dict[str, list[NDArray[np.float64]]] = {}

    def keep(way: str, rows: Sequence[int], ranked: list[list[int]]) -> None:
        scores.setdefault(way, []).append(figures_of(data, rows, ranked))
        recall, gain = scores[way][-1].mean(axis=0)
        print(f"{data.collection.name} seed {seed}, {way}: recall@5 {recall:.4f}, nDCG@10 {gain:.4f}", flush=True)

    for seed in arguments.seeds:
        judged, rows, taught = draw(
            data, half=arguments.half, pairs=arguments.pairs, per_question=arguments.per_question, seed=seed
        )
        trial = Trial(data, index, judged, taught, rows, seed)
        keep("nothing", rows, index.search_ids(trial.texts, trial.vectors, k=30))
        keep("memory", rows, with_memory(trial))
        pairs = sum(len(item.right) for item in taught)
        print(
            f"{data.collection.name} seed {seed}: {len(judged)} questions with {pairs} pairs judged, {len(rows)} unseen.",
            flush=True,
        )
        aimed = index.echoed(trial.texts, trial.vectors, weight=ECHO.echo)
        keep("second search, always", rows, index.search_ids(trial.texts, aimed, k=30))
        if arguments.tune:
            for way, found in fine_tuned(trial).items():
                keep(way, rows, found)
        if arguments.untrained:
            continue
        ways, choice = learned(trial)
        print(choice.sentence, flush=True)
        for way, found in ways.items():
            keep(way, rows, found)
    return [compare(way, scores["nothing"], found) for way, found in scores.items() if way != "nothing"]


def load(arguments: argparse.Namespace, embedder: Embedder) -> list[Judged]:
    found = []
    if arguments.feedback:
        found.append(feedback_collection(arguments.feedback, embedder))
    if arguments.corpus and arguments.questions:
        collection = graded_collection(arguments.corpus, arguments.questions, embedder)
        found.append((collection, [[] for _ in collection.questions]))
    return [
        Judged(
            collection, rejected, encode(embedder, [passage_text(passage) for passage in collection.passages], arguments.cache),
            encode(embedder, collection.questions, arguments.cache), embedder,
        )
        for collection, rejected in found
    ]  # fmt: skip


def encode(embedder: Embedder, texts: list[str], cache: Path | None) -> NDArray[np.float32]:
    """The texts' vectors, read from ``cache`` when an earlier run left them there."""
    if cache is None:
        return embedder.encode(texts)
    place = cache / f"{hashlib.sha256(json.dumps([embedder.identity, texts]).encode()).hexdigest()[:24]}.npy"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(place, embedder.encode(texts), allow_pickle=False)
    found: NDArray[np.float32] = np.load(place, allow_pickle=False)
    return found


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feedback", type=Path, help="questions with rated passages, JSON lines")
    parser.add_argument("--corpus", type=Path, help="documents, JSON lines")
    parser.add_argument("--questions", type=Path, help="graded questions on --corpus, JSON lines")
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--pairs", type=int, default=200, help="judged (question, right passage) pairs")
    parser.add_argument("--per-question", type=int, default=3)
    parser.add_argument("--half", choices=("development", "measured"), default="measured")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--time", action="store_true", help="also time how soon one more label moves a ranking")
    parser.add_argument(
        "--tune", action="store_true", help="also fine-tune the encoder on what was judged: minutes a seed"
    )
    parser.add_argument("--untrained", action="store_true", help="leave out adapters, ranking and the choice")
    parser.add_argument("--cache", type=Path, help="folder that keeps the plain embedder's vectors from run to run")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    arguments = parser.parse_args()
    if not arguments.feedback and not (arguments.corpus and arguments.questions):
        parser.error("give --feedback, or --corpus with --questions")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    embedder = load_embedder(arguments.embedder)
    set_threads(arguments.threads)
    figures = {data.collection.name: measure(data, arguments) for data in load(arguments, embedder)}
    for name, ways in figures.items():
        for way in ways:
            print(name, json.dumps(way), flush=True)
    if arguments.json:
        print(
            json.dumps({"half": arguments.half, "pairs": arguments.pairs, "seeds": arguments.seeds, "figures": figures})
        )


if __name__ == "__main__":
    main()
