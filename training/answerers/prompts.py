"""Prompts of generative models as token ids: a task's text, cut from the passage only when the window is too small."""

from collections.abc import Sequence
from typing import Any

from training.answerers.rows import find_answer
from training.types import Example


def prompt_ids(tokenizer: Any, task: Any, pairs: Sequence[tuple[str, str]], *, limit: int) -> list[list[int] | None]:
    """Token ids of ``task.format(text, passage)`` for each pair, at most ``limit`` long; None where the text alone is longer."""
    prompts = [task.format(text, passage) for text, passage in pairs]
    rows: list[list[int]] = tokenizer(prompts)["input_ids"] if prompts else []
    return [
        row if len(row) <= limit else _shortened(tokenizer, task, pair, limit=limit)
        for row, pair in zip(rows, pairs, strict=True)
    ]


def _shortened(tokenizer: Any, task: Any, pair: tuple[str, str], *, limit: int) -> list[int] | None:
    text, passage = pair
    ends = [
        end for _, end in tokenizer(passage, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ]
    row: list[int] = tokenizer(task.format(text, passage))["input_ids"]
    keep = len(ends)
    while len(row) > limit and keep > 0:
        keep = max(0, keep - (len(row) - limit))
        row = tokenizer(task.format(text, passage[: ends[keep - 1]] if keep else ""))["input_ids"]
    return row if len(row) <= limit else None


def passage_with_answer(example: Example, *, room_characters: int) -> str:
    """The example's passage, begun later where its answer would otherwise lie beyond what the window is sure to hold."""
    found = find_answer(example.target.text, example.passage, example.target.start)
    if found is None or found[1] <= room_characters:
        return example.passage
    begin = max(0, found[0] - room_characters // 2)
    space = example.passage.find(" ", begin, found[0])
    return example.passage[space + 1 if space >= 0 else begin :]


def tells_of_all(tokenizer: Any, task: Any, example: Example, *, limit: int) -> bool:
    """False for a "not answerable" that is wrong of a passage the window cuts: the answer may stand in the rest."""
    if example.weight >= 0 or example.target.answerable:
        return True
    return len(tokenizer(task.format(example.text, example.passage))["input_ids"]) <= limit


def target_ids(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    """Token ids of a target with exactly one end token after it; ``special`` adds what the tokenizer puts around a target."""
    row: list[int] = list(tokenizer(text_target=text, add_special_tokens=special)["input_ids"])
    while row and row[-1] == tokenizer.eos_token_id:
        row.pop()
    return [*row, tokenizer.eos_token_id]
