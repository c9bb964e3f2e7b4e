"""Index build, hybrid search and ranking quality, each beside what it is compared with, in one run.

    python benchmarks/retrieve.py --corpus docs.jsonl --questions queries.jsonl --gold squad.jsonl --json

``--corpus`` rows have ``doc_id`` (or ``id``), ``title``, ``text``; ``--questions`` rows ``question`` and ``rels`` (document id to grade);
``--gold`` rows ``question``, ``context`` and ``answers``, the distinct contexts being the corpus. Files may be gzipped.
"""

import argparse
import gzip
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from retriever.embedder import Embedder, load_embedder
from retriever.evaluate import hit_at, ndcg, recall_at, reciprocal_rank
from retriever.index import HybridIndex, passage_text
from retriever.reranker import FEATURES, Reranker
from retriever.splitter import split
from retriever.types import Passage

OVERLAP_TOKENS = 32


@dataclass
class Collection:
    """Passages, the document each is of, and questions with their graded documents."""

    name: str
    passages: list[Passage]
    document: dict[int, str]
    questions: list[str]
    grades: list[dict[str, float]]


def read_lines(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def split_documents(
    documents: Sequence[tuple[str, str, str]], embedder: Embedder
) -> tuple[list[Passage], dict[int, str]]:
    passages, document = [], {}
    for id, title, text in documents:
        room = embedder.max_tokens - (embedder.count_tokens(title) if title else 0)
        spans = split(text, max_tokens=max(room, 64), overlap_tokens=OVERLAP_TOKENS, count_tokens=embedder.count_tokens)
        for span in spans:
            document[len(passages)] = id
            passages.append(Passage(len(passages), text[span.start : span.end], title=title))
    return passages, document


def graded_collection(corpus: Path, questions: Path, embedder: Embedder) -> Collection:
    rows = [(str(row.get("doc_id") or row["id"]), row.get("title") or "", row["text"]) for row in read_lines(corpus)]
    passages, document = split_documents(rows, embedder)
    asked = read_lines(questions)
    return Collection(
        corpus.name, passages, document, [row["question"] for row in asked], [row["rels"] for row in asked]
    )


def gold_collection(gold: Path, embedder: Embedder) -> Collection:
    rows = read_lines(gold)
    contexts = {row["context"]: str(number) for number, row in enumerate(rows)}
    passages, document = split_documents([(id, "", context) for context, id in contexts.items()], embedder)
    asked = [row for row in rows if row["answers"]]
    grades = [{contexts[row["context"]]: 1.0} for row in asked]
    return Collection(gold.name, passages, document, [row["question"] for row in asked], grades)


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of ``work``."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def measure_build(passages: Sequence[Passage], embedder: Embedder, *, rounds: int) -> dict[str, float]:
    """Our build against the library's plain encode and a flat index, turn by turn on the same passages and loaded model."""
    import faiss

    texts = [passage_text(passage) for passage in passages]
    model = embedder._model  # type: ignore[attr-defined]  # the same weights, called plainly

    def ours() -> None:
        HybridIndex.build(passages, embedder.encode(texts), embedder_identity=embedder.identity)

    def plain() -> None:
        vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        faiss.IndexFlatIP(embedder.dimension).add(vectors)

    clock(lambda: embedder.encode(texts[:8]))
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "plain": []}
    for number in range(rounds):
        turn = [("ours", ours), ("plain", plain)]
        for name, work in turn if number % 2 == 0 else reversed(turn):
            times[name].append(clock(work))
    wall = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in times.items()}
    processor = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in times.items()}
    return {
        "passages": len(passages),
        "ours_s": wall["ours"],
        "plain_s": wall["plain"],
        "ratio": wall["ours"] / wall["plain"],
        "ours_processor_s": processor["ours"],
        "plain_processor_s": processor["plain"],
        "processor_ratio": processor["ours"] / processor["plain"],
    }


def grown(passages: Sequence[Passage], vectors: np.ndarray, size: int) -> tuple[list[Passage], np.ndarray]:
    """``size`` synthetic passages: real texts with a fifth of their words exchanged, real vectors with noise."""
    chance, noise = random.Random(0), np.random.default_rng(0)
    words = [word for passage in passages for word in passage.text.split()]
    many = []
    for id in range(size):
        text = passages[id % len(passages)].text.split()
        for position in chance.sample(range(len(text)), len(text) // 5):
            text[position] = chance.choice(words)
        many.append(Passage(id, " ".join(text), title=passages[id % len(passages)].title))
    rows = vectors[np.arange(size) % len(vectors)]
    rows = rows + noise.normal(0, 0.03, rows.shape).astype(np.float32)
    return many, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measure_search(
    passages: list[Passage], vectors: np.ndarray, *, questions: list[str], asked: np.ndarray
) -> dict[str, float]:
    index = HybridIndex.build(passages, vectors, embedder_identity="benchmark")
    index.search(questions[0], asked[0], k=5)
    times = [
        clock(partial(index.search, question, vector, k=5)) for question, vector in zip(questions, asked, strict=True)
    ]
    wall, processor = sorted(pair[0] for pair in times), sorted(pair[1] for pair in times)
    reranker = Reranker((1.0,) * len(FEATURES))
    reranked = sorted(
        clock(partial(index.search_ids, [question], vector.reshape(1, -1), k=5, reranker=reranker))[1]
        for question, vector in zip(questions, asked, strict=True)
    )
    change_s = clock(lambda: index.add([Passage(len(passages), "One more passage.")], vectors[:1]))[0]
    return {
        "passages": len(passages),
        "p50_ms": 1000 * wall[len(wall) // 2],
        "p95_ms": 1000 * wall[int(len(wall) * 0.95)],
        "processor_p50_ms": 1000 * processor[len(processor) // 2],
        "reranked_processor_p50_ms": 1000 * reranked[len(reranked) // 2],
        "add_one_s": change_s,
    }


def measure_ranking(collection: Collection, index: HybridIndex, asked: np.ndarray) -> dict[str, dict[str, float]]:
    """Document-level figures of the three rankings over the same passages."""
    rankings: dict[str, list[list[int]]] = {
        "hybrid": [[hit.passage for hit in hits] for hits in index.search_many(collection.questions, asked, k=50)],
        "bm25": [[id for id, _ in index.search_words(question, k=50)] for question in collection.questions],
        "dense": [[id for id, _ in index.search_vectors(vector, k=50)] for vector in asked],
    }
    figures = {}
    for name, ranked in rankings.items():
        documents = [list(dict.fromkeys(collection.document[id] for id in ids)) for ids in ranked]
        scored = [
            {
                "recall_at_5": recall_at(found, grades, 5),
                "recall_at_10": recall_at(found, grades, 10),
                "hit_at_5": hit_at(found, grades, 5),
                "hit_at_10": hit_at(found, grades, 10),
                "mrr_at_10": reciprocal_rank(found, grades),
                "ndcg_at_10": ndcg(found, grades),
            }
            for found, grades in zip(documents, collection.grades, strict=True)
        ]
        figures[name] = {key: round(statistics.fmean(row[key] for row in scored), 4) for key in scored[0]}
    return figures


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="documents, JSON lines")
    parser.add_argument("--questions", type=Path, help="graded questions on --corpus, JSON lines")
    parser.add_argument(
        "--gold", type=Path, action="append", default=[], help="gold questions with contexts, JSON lines"
    )
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--build-passages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 leaves torch's choice")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    arguments = parser.parse_args()
    if not arguments.gold and not (arguments.corpus and arguments.questions):
        parser.error("give --corpus with --questions, or --gold")
    return arguments


def say(figures: object) -> None:
    print(json.dumps(figures), flush=True)


def set_threads(threads: int) -> None:
    import faiss
    import torch

    if threads:
        torch.set_num_threads(threads)
        faiss.omp_set_num_threads(threads)


def read_collections(arguments: argparse.Namespace, embedder: Embedder) -> list[Collection]:
    collections = [gold_collection(path, embedder) for path in arguments.gold]
    if arguments.corpus and arguments.questions:
        collections.insert(0, graded_collection(arguments.corpus, arguments.questions, embedder))
    return collections


def measure_sizes(
    collection: Collection, vectors: np.ndarray, *, asked: np.ndarray, sizes: list[int]
) -> list[dict[str, float]]:
    figures = []
    for size in sizes:
        many, rows = grown(collection.passages, vectors, size)
        figures.append(measure_search(many, rows, questions=collection.questions[:200], asked=asked[:200]))
        say(figures[-1])
    return figures


def main() -> None:
    arguments = parse_arguments()
    first_load_s = clock(partial(load_embedder, arguments.embedder))[0]
    embedder = load_embedder(arguments.embedder)
    set_threads(arguments.threads)
    figures: dict[str, Any] = {
        "embedder": embedder.identity,
        "threads": arguments.threads,
        "first_load_s": first_load_s,
    }
    figures["ranking"] = {}
    collections = read_collections(arguments, embedder)
    for collection in collections:
        asked = embedder.encode(collection.questions)
        vectors = embedder.encode([passage_text(passage) for passage in collection.passages])
        index = HybridIndex.build(collection.passages, vectors, embedder_identity=embedder.identity)
        size = {"passages": len(collection.passages), "questions": len(collection.questions)}
        figures["ranking"][collection.name] = {**size, **measure_ranking(collection, index, asked)}
        say({collection.name: figures["ranking"][collection.name]})
        if collection is collections[0]:
            figures["search"] = measure_sizes(collection, vectors, asked=asked, sizes=arguments.sizes)
    alone = sorted(clock(partial(embedder.encode, [text]))[0] for text in collections[0].questions[:50])
    figures["encode_question_p50_ms"] = 1000 * alone[len(alone) // 2]
    first = collections[0].passages
    sample = first[:: max(1, len(first) // arguments.build_passages)][: arguments.build_passages]
    figures["build"] = measure_build(sample, embedder, rounds=arguments.rounds)
    say(figures if arguments.json else figures["build"])


if __name__ == "__main__":
    main()
