"""``errata train``, ``evaluate``, ``export`` and ``replay``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from webapp.cli.common import emit, json_option, opened, progress

DECIDED = {
    "promote": "promote release {release}",
    "hold": "hold release {release}",
    "ask": "release {release} waits for an engineer to decide",
}
FAILED = {
    "failed": "Iteration {number} failed: {error}",
    "cancelled": "Iteration {number} was cancelled; no label was lost.",
}


@click.command()
@click.argument("project")
@click.option("--wait", is_flag=True, help="Wait for the end; runs it here when no worker is running.")
@click.option(
    "--warm-up",
    "is_practice",
    is_flag=True,
    help="Before there are labels: practise on the project's own corpus, with phrases hidden.",
)
@json_option
def train(project: str, wait: bool, is_practice: bool, as_json: bool) -> None:
    """Start an iteration: train on all labels so far, compare, and promote the result if it is better."""
    from webapp.db import write
    from webapp.iterations import service
    from webapp.projects.service import project_by_name

    with opened():
        found = project_by_name(project)
        with write() as session:
            iteration = service.start(
                session, found, person=None, reason="Started on the command line.", is_practice=is_practice
            )
        if not wait:
            text = (
                f"Iteration {iteration.number} is queued; the worker starts it. `errata train --wait` shows the result."
            )
            emit(
                {"iteration": iteration.number, "state": "queued", "job": iteration.job_id}, as_json=as_json, text=text
            )
            return
        emit(
            _wait_for(iteration.number, iteration.job_id, as_json=as_json),
            as_json=as_json,
            text=_train_text(iteration.job_id),
        )


def _wait_for(number: int, job_id: int, *, as_json: bool) -> dict[str, Any]:
    from webapp.jobs.run import wait as wait_for

    job = wait_for(job_id, report=progress(as_json=as_json))
    if job.state != "succeeded":
        raise click.ClickException(FAILED[job.state].format(number=number, error=job.error))
    return {**(job.result or {}), "state": job.state}


def _train_text(job_id: int) -> str:
    from webapp.jobs.service import job_or_404

    result = job_or_404(job_id).result or {}
    decided = DECIDED[result["gate"]["decision"]].format(release=result["candidate"])
    lines = [f"Iteration {result['iteration']}: {decided}."]
    return "\n".join([*lines, *result["gate"]["reasons"]])


@click.command()
@click.argument("project")
@click.option(
    "--gold",
    type=click.Path(path_type=Path),
    required=True,
    help="Gold rows: JSON lines, or what the task's own tools write.",
)
@click.option(
    "--mode",
    type=click.Choice(["given", "retrieved"]),
    default="given",
    show_default=True,
    help="Read each row's own context, or retrieve passages from the corpus first.",
)
@click.option("--release", "number", type=int, help="A release's number; the one in service if not given.")
@json_option
def evaluate(project: str, gold: Path, mode: str, number: int | None, as_json: bool) -> None:
    """Measure a release on gold rows."""
    from training.tasks import get_task
    from webapp.iterations.evaluation import RETRIEVAL_METRICS, evaluate_release
    from webapp.projects.service import project_by_name

    with opened():
        found = project_by_name(project)
        evaluated = evaluate_release(found, gold, mode=mode, number=number, report=progress(as_json=as_json))
        lines = [f"Release {evaluated.release} on {evaluated.n} rows, passages {mode}:"]
        lines += [f"  {name:24} {100 * value:5.1f} %" for name, value in evaluated.metrics.items()]
        if evaluated.rejected:
            lines.append(
                f"  {len(evaluated.rejected)} rows could not be used, the first because {evaluated.rejected[0]['reason']}."
            )
        if evaluated.n_own_context:
            lines.append(
                f"  Rows that say only that their own context has no answer: {evaluated.n_own_context}. An answer to them from another "
                "passage counts as wrong, even a right one."
            )
        # Whoever reads the object finds every name; what the set cannot define (no unanswerable question, say) is null.
        names = (*get_task(found.task).METRICS, *(RETRIEVAL_METRICS if mode == "retrieved" else ()))
        metrics = dict.fromkeys(names) | evaluated.metrics
        emit({**asdict(evaluated), "metrics": metrics, "mode": mode}, as_json=as_json, text="\n".join(lines))


@click.command()
@click.argument("project")
@click.option(
    "--format",
    "format_name",
    default="jsonl",
    show_default=True,
    help="jsonl, csv, or one of the task's own, such as squad.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--verdict", "verdicts", multiple=True, help="Only labels with this verdict; may be given several times.")
@json_option
def export(project: str, format_name: str, output: Path, verdicts: tuple[str, ...], as_json: bool) -> None:
    """Write current labels to a file, whole or not at all; those the format cannot hold are named in OUTPUT.dropped.jsonl."""
    from webapp.label.export import Filters
    from webapp.label.export_files import export_to
    from webapp.projects.service import project_by_name

    with opened():
        found = project_by_name(project)
        done = export_to(output, found, format_name, filters=Filters(verdicts), report=progress(as_json=as_json))
        text = f"{done.rows} labels written to {output}."
        if done.dropped:
            text += f" {len(done.dropped)} could not be held by this format: see {output}.dropped.jsonl."
        emit(asdict(done), as_json=as_json, text=text)


@click.command()
@click.argument("project")
@click.option(
    "--gold", type=click.Path(path_type=Path, exists=True), required=True, help="Gold rows that play the annotator."
)
@click.option(
    "--test", type=click.Path(path_type=Path, exists=True), required=True, help="Gold rows to measure each round on."
)
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True)
@click.option("--per-round", type=click.IntRange(1), default=50, show_default=True, help="Labels in each round.")
@click.option(
    "--strategy", default="random", show_default=True, help="Any order the queue knows, such as uncertain_diverse."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of questions and of training.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curve into this SVG file.")
@click.option(
    "--beside",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="What another replay printed with --json, drawn too.",
)
@json_option
def replay(
    project: str, gold: Path, test: Path, rounds: int, *, per_round: int, strategy: str, seed: int,
    picture: Path | None, beside: tuple[Path, ...], as_json: bool,
) -> None:  # fmt: skip
    """Let gold rows, or marks people gave (see import --kind feedback), play the annotator, round by round.

    The same command again goes on where it stopped. The base is the project's own.
    """
    from webapp.iterations.replay import Plan
    from webapp.iterations.replay import replay as play
    from webapp.projects.service import project_by_name

    others = [_read_curve(path) for path in beside]
    if picture is not None and picture.suffix.lower() != ".svg":
        raise click.UsageError(f"The picture is an SVG file; give a name that ends in .svg, not {picture.name}.")
    with opened():
        found = project_by_name(project)
        plan = Plan(gold, test, rounds, per_round, strategy=strategy, seed=seed)
        played = play(found, plan, progress(as_json=as_json))
        curve = {"project": found.name, "base": found.base, "strategy": strategy, "seed": seed, "rounds": played}
        lines = [
            f"{one['labels']:6} labels: release {one['release']}, {one['decision']}, {_figures(one['metrics'])}"
            for one in played
        ]
        if picture is not None:
            _draw(picture, [curve, *others])
            lines.append(f"The curve is drawn in {picture}.")
        emit(curve, as_json=as_json, text="\n".join(lines))


def _read_curve(path: Path) -> dict[str, Any]:
    from webapp.iterations.replay_curve import line_of

    try:
        curve: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        line_of(curve)
    except ValueError as error:
        raise click.UsageError(f"{path} cannot be drawn: {error}.") from error
    return curve


def _draw(path: Path, curves: list[dict[str, Any]]) -> None:
    from webapp.iterations.replay_curve import draw, line_of

    try:
        path.write_text(draw([line_of(curve) for curve in curves]), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(
            f"The picture cannot be written to {path}: {error.strerror}. The rounds are kept: the same command again with another --picture draws them."
        ) from error


def _figures(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in metrics.items())
