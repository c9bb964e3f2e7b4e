"""Which function does which kind of job. Heavy kinds use a model for long; a worker runs one of them at a time."""

KINDS = {
    "import": "webapp.corpus.jobs:run_import",
    "index": "webapp.corpus.jobs:run_index",
    "predict": "webapp.ask.jobs:run_predict",
    "order": "webapp.ask.ordering:run_order",
    "train": "webapp.iterations.jobs:run_train",
    "export": "webapp.label.jobs:run_export",
}
LONG_KINDS = ("train",)
