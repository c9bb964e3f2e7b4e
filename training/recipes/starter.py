"""The starter: a small GPT-2 trained from scratch on the project's own generated text.

``python -m training.recipes.starter --out training/shipped/starter`` makes it, measures it and writes its model card.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from training.answerers import load_answerer
from training.generator import names
from training.generator.pages import write_page
from training.generator.rows import ask_page, to_examples
from training.recipes.beginning import write_copying
from training.recipes.finishing import finish
from training.recipes.pretraining import Plan, Stage, train
from training.tasks import get_task

SEPARATOR = "\u2063"
"""An invisible character that no word crosses: the tokenizer spells every made-up name, seen or unseen, by its two halves."""

END, PADDING = "<|endoftext|>", "<|pad|>"


def tokenizer_texts(seed: int, count: int) -> Iterator[str]:
    """Pages and questions as the model will see them, in training names only."""
    random, task = Random(f"tokenizer-{seed}"), get_task("qa")
    for _ in range(count):
        page = write_page(random, "train")
        rows = to_examples(page, ask_page(page, random, count=2, split="train"))
        for row in rows:
            yield names.halves(task.format(row.text, row.passage) + task.format_target(row.target), SEPARATOR)
        word = names.coin(random, "train")
        yield names.halves(f"{word} {word.lower()} {word.upper()}", SEPARATOR)


def build_tokenizer(plan: Plan) -> Any:
    """A byte-level BPE of ``plan.words`` tokens; a blank goes before the first word, so that a name is always spelled alike."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=plan.words,
        special_tokens=[END, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(tokenizer_texts(plan.seed, 15000), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, bos_token=END, pad_token=PADDING, model_max_length=plan.window
    )


def build_answerer(plan: Plan) -> Any:
    """The untrained GPT-2 with its tokenizer; the same for the same plan."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from training.answerers.causal import CausalAnswerer
    from training.answerers.settings import Settings

    tokenizer, task = build_tokenizer(plan), get_task("qa")
    torch.manual_seed(plan.seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=plan.window,
        n_embd=plan.width,
        n_layer=plan.layers,
        n_head=plan.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    settings = Settings("qa", task.PROMPT_VERSION, "causal", max_tokens=plan.window, fixed_answers=("Yes", "No"))
    model = GPT2LMHeadModel(config)
    write_copying(model, torch.Generator().manual_seed(plan.seed))
    return CausalAnswerer(model, tokenizer, settings, task)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _work(plan: Plan, rank: int, meeting: str, checkpoint: str, start: str) -> None:
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    if plan.processes > 1:
        distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=plan.processes)
    answerer: Any = load_answerer(Path(start), get_task("qa")) if start else build_answerer(plan)
    stage = Stage(fraction=plan.warm_up, copies=True, level=len(plan.levels)) if start else Stage()
    train(answerer, plan, rank, checkpoint=Path(checkpoint), say=_say, stage=stage)
    if plan.processes > 1:
        distributed.destroy_process_group()


def run(plan: Plan, checkpoint: Path, start: Path | None = None) -> None:
    """Train in ``plan.processes`` processes, on full pages from the weights in ``start`` if there are some.

    The weights lie in ``checkpoint`` afterwards.
    """
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            spawn.Process(target=_work, args=(plan, rank, f"{folder}/meeting", str(checkpoint), str(start or "")))
            for rank in range(plan.processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"Training stopped early; the last checkpoint is in {checkpoint}.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write; it must not exist")
    parser.add_argument("--checkpoint", type=Path, help="where checkpoints go (default: beside the folder)")
    parser.add_argument(
        "--finish", action="store_true", help="no training: measure the checkpoint and write the folder"
    )
    parser.add_argument("--start", type=Path, help="go on from this checkpoint instead of from nothing")
    parser.add_argument("--history", default="", help="words for the model card on how these weights came about")
    parser.add_argument("--no-lesson", action="store_true", help="do not measure what sixty labels teach")
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="how long to train")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--processes", type=int, default=Plan.processes)
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already; remove it or choose another folder.")
    checkpoint = options.checkpoint or options.out.with_name(options.out.name + "-checkpoint")
    plan = replace(Plan(), minutes=options.minutes, seed=options.seed, processes=options.processes)
    if not options.finish:
        run(plan, checkpoint, options.start)
    figures = finish(checkpoint, options.out, plan, history=options.history, lesson=not options.no_lesson)
    print(json.dumps(figures, indent=1))  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
