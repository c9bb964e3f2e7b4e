"""What the labels of now would teach, row by row, and what a frozen dataset held."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from webapp.addresses import chosen
from webapp.datasets import service
from webapp.datasets.freeze import EVALUATION_AT_MOST
from webapp.datasets.preview import describe_frozen, preview
from webapp.errors import NotFound
from webapp.htmx import render
from webapp.people.service import require, viewer_id
from webapp.projects.service import project_or_404
from webapp.projects.settings import read as read_settings

bp = Blueprint("datasets", __name__)

KINDS = {
    "": "All", "accept": "Accepted", "correct": "Corrected", "negative": "Not answerable", "preference": "Preferences",
    "reject": "Rejected answers", "passed_over": "Passed over", "triple": "Retrieval", "left_out": "Left out",
}  # fmt: skip
EXPLANATIONS = {
    "negative": "The question with a passage that does not answer it.",
    "preference": "What a person wrote, and what the model had said instead.",
    "reject": "An answer that was called wrong without a right one.",
    "passed_over": "The question with a passage that was shown beside the right one and does not hold the answer.",
    "triple": "A question, the passage that answers it, and passages that were shown or rejected and do not.",
}
TAUGHT = {  # of the rows of the training split
    "preference": "In training one is to become likelier than the other.",
    "reject": "In training the model is pushed away from it, gently.",
    "passed_over": "The model learns that this passage does not answer it.",
}
JUDGED = {
    "validation": "Nothing here is learned: validation chooses the threshold and which state of the training is kept.",
    "test": "Nothing here is learned: on the test questions a candidate is compared with the model in service.",
}
SPLITS = {"": "All splits", "train": "Training", "validation": "Validation", "test": "Test"}


@bp.get("/p/<int:project_id>/dataset")
@require()
def show(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    kind, split = chosen("kind", KINDS), chosen("split", SPLITS)
    page = request.args.get("page", 1, type=int) or 1
    shown = preview(project, viewer_id=viewer_id(), kind=kind, split=split, page=page)
    settings = read_settings(project)
    kinds = {key: title for key, title in KINDS.items() if settings.passed_over or key != "passed_over"}
    return render(
        "datasets/show.html", "dataset", project=project, preview=shown, kind=kind, kinds=kinds, split=split, splits=SPLITS,
        explanations=EXPLANATIONS, taught=TAUGHT, settings=settings,
        datasets=service.list_datasets(project.id), judged=JUDGED.get(split, ""), at_most=EVALUATION_AT_MOST,
    )  # fmt: skip


@bp.get("/p/<int:project_id>/dataset/<int:dataset_id>")
@require()
def frozen(project_id: int, dataset_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    dataset = service.get_dataset(project_id, dataset_id)
    if dataset is None:
        raise NotFound(f"This project has no dataset {dataset_id}; the dataset page lists the frozen ones.")
    page = request.args.get("page", 1, type=int) or 1
    return render("datasets/frozen.html", project=project, dataset=dataset, frozen=describe_frozen(dataset, page=page))
