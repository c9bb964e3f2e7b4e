"""Labels as SQuAD 2.0 JSON: which labels the format can hold, and the reason for each it cannot."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from training.squad import QuestionRow
from training.squad import write as write_squad

UNUSABLE = {
    "skip": "It is a skip: nobody decided anything.",
    "wrong_answer": "It rejects an answer without giving the right one, which SQuAD cannot hold; the JSON lines export has it.",
}


def write(rows: Iterable[dict[str, Any]], drop: Callable[[int, str], None]) -> Iterator[str]:
    """SQuAD 2.0 JSON in pieces from label rows with the keys ``label``, ``question``, ``verdict``, ``reject_reason``, ``text``,
    ``start``, ``passage``, ``shown_passage`` and ``document``. ``drop(label id, reason)`` is told of each label left out.
    """
    return write_squad(
        _usable(rows, drop),
        drop=lambda name, reason: drop(int(name), f"In SQuAD every answer stands in its context: {reason}."),
    )


def _usable(rows: Iterable[dict[str, Any]], drop: Callable[[int, str], None]) -> Iterator[QuestionRow]:
    for row in rows:
        decision = row["reject_reason"] or row["verdict"]
        # A rejected passage is the one that was read; the right one, if chosen, has no answer text yet.
        passages = (
            (row["shown_passage"], row["passage"])
            if decision == "wrong_passage"
            else (row["passage"], row["shown_passage"])
        )
        context = next((passage for passage in passages if passage), None)
        if decision in UNUSABLE:
            drop(row["label"], UNUSABLE[decision])
        elif context is None:
            drop(row["label"], "It has no passage, and SQuAD needs a context for each question.")
        else:
            answers = (
                ((row["text"], _start(row, context)),) if row["verdict"] != "reject" and row["text"].strip() else ()
            )
            yield QuestionRow(str(row["label"]), row["question"], context, answers, row["document"] or "")


def _start(row: dict[str, Any], context: str) -> int | None:
    return row["start"] if context == row["passage"] else None
