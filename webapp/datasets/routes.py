"""What the labels of now would teach, row by row, and what a frozen dataset held."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from webapp.datasets import service
from webapp.errors import NotFound
from webapp.htmx import render
from webapp.people.service import require
from webapp.projects.service import project_or_404

bp = Blueprint("datasets", __name__)

KINDS = {
    "": "All", "accept": "Accepted", "correct": "Corrected", "negative": "Negatives", "train": "Training", "validation": "Validation",
    "test": "Test", "left_out": "Left out",
}  # fmt: skip


@bp.get("/p/<int:project_id>/dataset")
@require()
def show(project_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    preview = service.preview(project, kind=kind, page=request.args.get("page", 1, type=int) or 1)
    return render(
        "datasets/show.html", "dataset", project=project, preview=preview, kind=kind, kinds=KINDS,
        datasets=service.list_datasets(project.id),
    )  # fmt: skip


@bp.get("/p/<int:project_id>/dataset/<int:dataset_id>")
@require()
def frozen(project_id: int, dataset_id: int) -> ResponseReturnValue:
    project = project_or_404(project_id)
    dataset = service.get_dataset(project_id, dataset_id)
    if dataset is None:
        raise NotFound(f"This project has no dataset {dataset_id}; the dataset page lists the frozen ones.")
    page = request.args.get("page", 1, type=int) or 1
    return render(
        "datasets/frozen.html", project=project, dataset=dataset, frozen=service.describe_frozen(dataset, page=page)
    )
