"""How fast a live answer and a batch of answers are, against a plain transformers loop over one question at a time.

    python benchmarks/answer.py [--gold FILE] [--model starter|reader|FOLDER ...] [--questions N] [--rounds R] [--json]

Both sides use the same weights, the same pairs, the same threads, and alternate within one run; processor time is reported
beside wall time since a shared machine disturbs the latter. The loop computes less: it has no answerable score for a
generative model. Without FILE the pairs are written by this script. The last line holds the figures as JSON.
"""

import argparse
import gzip
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from retriever.embedder import load_embedder
from retriever.similarity import SentenceSimilarity
from training.answerability import Weights
from training.answerers import load_answerer
from training.safety import SHIPPED, resolve_base
from training.tasks import get_task
from training.types import Input

PASSAGES_SHOWN = 5
Pair = tuple[str, str]


def written_pairs(count: int) -> list[Pair]:
    """Questions about opening hours and prices of made-up restaurants, several about each passage as in a real queue."""
    chooser = random.Random(0)
    pairs = []
    for i in range(-(-count // 4)):
        name = f"{chooser.choice('ABCDEFGH')}{chooser.choice(['lba', 'rino', 'sterix', 'mano'])} {i}"
        facts = [
            f"{name} is a restaurant in {chooser.choice(['Rome', 'Oslo', 'Lima'])}.",
            f"It opens at {chooser.randint(6, 12)} in the morning and closes at {chooser.randint(7, 11)} in the evening.",
            f"A main dish costs {chooser.randint(8, 40)} euros, and the terrace has {chooser.randint(4, 60)} seats.",
            "Guests praise the soup, the bread and the quiet garden behind the house.",
        ]
        chooser.shuffle(facts)
        passage = " ".join(facts)
        asked = ["When does it open?", "How much is a main dish?", f"Where is {name}?", "Is there parking?"]
        pairs.extend((question, passage) for question in asked)
    return pairs[:count]


def read_pairs(path: Path, count: int) -> list[Pair]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    random.Random(0).shuffle(rows)
    return [(row["question"], row["context"]) for row in rows[:count]]


def plain_loop(answerer: Any, pairs: Sequence[Pair]) -> list[str]:
    """What the transformers documentation does: tokenise, call the model, decode, one pair at a time."""
    import torch

    one = _plain_span if answerer.settings.architecture == "span" else _plain_generate
    with torch.inference_mode():
        return [one(answerer, text, passage) for text, passage in pairs]


def _plain_generate(answerer: Any, text: str, passage: str) -> str:
    tokenizer, model = answerer.tokenizer, answerer.model
    inputs = tokenizer(
        answerer.task.format(text, passage), return_tensors="pt", truncation=True, max_length=answerer.window - 40
    )
    inputs = {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
    output = model.generate(
        **inputs,
        do_sample=False,
        max_new_tokens=answerer.settings.max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    begin = inputs["input_ids"].shape[1] if answerer.settings.architecture == "causal" else 0
    return tokenizer.decode(output[0, begin:], skip_special_tokens=True).strip()


def _plain_span(answerer: Any, text: str, passage: str) -> str:
    inputs = answerer.tokenizer(
        text, passage, return_tensors="pt", truncation="only_second", max_length=answerer.window
    )
    output = answerer.model(**inputs.to(answerer.model.device))
    first, last = int(output.start_logits.argmax()), int(output.end_logits.argmax())
    return answerer.tokenizer.decode(inputs["input_ids"][0, first : last + 1])


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of ``work``."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def measure(name: str, pairs: Sequence[Pair], *, rounds: int) -> dict[str, Any]:
    task = get_task("qa")
    answerer = load_answerer(resolve_base(name, Path("unused")), task)
    answerer.read(pairs[:4])
    plain_loop(answerer, pairs[:4])
    ours, loop = [], []
    for _ in range(rounds):
        loop.append(clocked(lambda: plain_loop(answerer, pairs)))
        ours.append(clocked(lambda: answerer.read(pairs)))
    live = _live(answerer, task, pairs)
    weigh_likeness(answerer)
    alike = [_live(answerer, task, pairs) for _ in ("passages not seen before", "the same again")]
    batch_s, loop_s = min(t for t, _ in ours), min(t for t, _ in loop)
    batch_cpu, loop_cpu = min(t for _, t in ours), min(t for _, t in loop)
    return {
        "model": name if name in ("starter", "reader") else Path(name).name,
        "architecture": answerer.settings.architecture,
        "questions": len(pairs),
        "live_p50_ms": round(statistics.median(live), 1),
        "live_p95_ms": round(sorted(live)[int(len(live) * 0.95)], 1),
        **{
            f"live_{name}_p{share}_ms": round(sorted(times)[int(len(times) * share / 100)], 1)
            for name, times in zip(("likeness_new", "likeness_known"), alike, strict=True)
            for share in (50, 95)
        },
        "batch_per_s": round(len(pairs) / batch_s, 1),
        "loop_per_s": round(len(pairs) / loop_s, 1),
        "ratio": round(loop_s / batch_s, 2),
        "batch_cpu_s": round(batch_cpu, 2),
        "loop_cpu_s": round(loop_cpu, 2),
        "cpu_ratio": round(loop_cpu / batch_cpu, 2),
    }


def weigh_likeness(answerer: Any) -> None:
    """Let the likeness of question and passage count, as in a release that learned to: its price is one passage's sentences."""
    answerer.similarity = SentenceSimilarity(load_embedder("minilm"))
    weights = Weights(0.0, 1.0, 1.0, 0.0, 2.0, answerer.similarity.identity)
    answerer.settings = replace(answerer.settings, answerability=weights)


def _live(answerer: Any, task: Any, pairs: Sequence[Pair]) -> list[float]:
    """Milliseconds to answer one question from five passages, as the engine does, retrieval apart."""
    passages = [passage for _, passage in pairs]
    times = []
    for i, (text, _) in enumerate(pairs[:40]):
        shown = tuple(passages[(i + k * 7) % len(passages)] for k in range(PASSAGES_SHOWN))
        wall, _cpu = clocked(lambda shown=shown, text=text: task.predict(answerer, [Input("1", text, shown)]))
        times.append(wall * 1000)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, help="gold JSON lines (.gz too) to take questions and passages from")
    parser.add_argument(
        "--model", action="append", help="starter, reader or a model folder; may be given several times"
    )
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    options = parser.parse_args()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    pairs = read_pairs(options.gold, options.questions) if options.gold else written_pairs(options.questions)
    models = options.model or [name for name in ("starter", "reader") if (SHIPPED / name).is_dir()]
    runs = []
    for name in models:
        runs.append(measure(name, pairs, rounds=options.rounds))
        if not options.json:
            print(runs[-1])
    print(json.dumps({"runs": runs}))


if __name__ == "__main__":
    main()
