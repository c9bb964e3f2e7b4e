"""Which function does which kind of job. Heavy kinds use a model for long; a worker runs one of them at a time."""

import importlib
from collections.abc import Callable
from typing import Any

from webapp.jobs.context import JobContext

KINDS = {
    "import": "webapp.corpus.jobs:run_import",
    "index": "webapp.corpus.jobs:run_index",
    "predict": "webapp.ask.jobs:run_predict",
    "train": "webapp.iterations.jobs:run_train",
    "evaluate": "webapp.iterations.jobs:run_evaluate",
    "export": "webapp.label.jobs:run_export",
}
LONG_KINDS = ("train", "evaluate")


def load_function(path: str) -> Callable[[JobContext], dict[str, Any]]:
    """The function at ``module:name``; imported only in the process that runs it."""
    module, _, name = path.partition(":")
    function: Callable[[JobContext], dict[str, Any]] = getattr(importlib.import_module(module), name)
    return function
