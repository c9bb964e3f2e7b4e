"""Which function does which kind of job. Heavy kinds use a model for long; a worker runs one of them at a time."""

from dataclasses import dataclass

KINDS = {
    "import": "webapp.corpus.jobs:run_import",
    "index": "webapp.corpus.jobs:run_index",
    "predict": "webapp.ask.jobs:run_predict",
    "order": "webapp.ask.ordering:run_order",
    "train": "webapp.iterations.jobs:run_train",
    "export": "webapp.label.jobs:run_export",
}
LONG_KINDS = ("train",)


@dataclass(frozen=True)
class Name:
    """What people call a kind: as a heading, and at the beginning of a sentence."""

    title: str
    in_sentence: str


_NAMES = {
    "import": Name("Import", "An import"),
    "index": Name("Index", "A new index"),
    "predict": Name("Preparing answers", "Preparing answers"),
    "order": Name("Ordering the queue", "Ordering the queue"),
    "train": Name("Iteration", "An iteration"),
    "export": Name("Export", "An export"),
}


def name_of(kind: str) -> Name:
    """A job that another version of Errata left may be of a kind that this one does not know."""
    return _NAMES.get(kind, Name(kind, kind))
