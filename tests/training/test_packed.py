"""Packed training: many questions on one page give exactly the loss of the same rows one by one."""

from pathlib import Path

import pytest

from training.answerers import load_answerer
from training.recipes.packed import collate, common_prefix, loss, pack
from training.tasks import get_task
from training.types import Example, Target

PASSAGE = "The cafe opens at nine and closes at five."
ROWS = [
    Example("When does it open?", PASSAGE, Target("nine")),
    Example("When does it close?", PASSAGE, Target("five")),
    Example("Who owns it?", PASSAGE, Target("", answerable=False)),
]


def test_it_finds_what_rows_begin_with():
    assert common_prefix([[1, 2, 3, 4], [1, 2, 5], [1, 2, 3]]) == 2
    assert common_prefix([[7], [7, 8]]) == 1


def test_it_gives_the_loss_of_the_rows_one_by_one_weighted_by_the_root_of_their_length(tiny_causal: Path):
    import torch

    answerer = load_answerer(tiny_causal, get_task("qa"))
    rows = answerer.encode(ROWS)
    with torch.no_grad():
        each = [answerer.loss(answerer.model, answerer.collate([row])).item() for row in rows]
        packed = loss(answerer.model, collate([pack(rows)], 0)).item()
        twice = loss(answerer.model, collate([pack(rows), pack(rows[:2])], 0)).item()
    roots = [len(row.labels) ** 0.5 for row in rows]
    weighted = [value * root for value, root in zip(each, roots, strict=True)]
    assert packed == pytest.approx(sum(weighted) / sum(roots), rel=1e-4)
    assert twice == pytest.approx((sum(weighted) + sum(weighted[:2])) / (sum(roots) + sum(roots[:2])), rel=1e-4)


def test_it_reads_the_page_once(tiny_causal: Path):
    rows = load_answerer(tiny_causal, get_task("qa")).encode(ROWS)
    packed = pack(rows)
    assert len(packed.tokens) < sum(row.tokens for row in rows) - packed.branches.count(0)
