"""ask."""

import time
from typing import Any

import click
from sqlalchemy import select

from webapp.cli.common import emit, json_option, opened


@click.command("ask")
@click.argument("project")
@click.argument("question")
@click.option(
    "--passages", "k", type=click.IntRange(1, 50), help="How many passages to read; by default the project's setting."
)
@json_option
def ask(project: str, question: str, k: int | None, as_json: bool) -> None:
    """Answer QUESTION with the release of PROJECT in service; through the engine when it runs, else in this process."""
    from webapp.corpus.service import clean_question
    from webapp.projects import settings
    from webapp.projects.service import project_by_name

    text = clean_question(question)
    with opened():
        found = project_by_name(project)
        k = k or settings.read(found).passages_shown
        began = time.perf_counter()
        number, answered = _answer(found, text, k)
        values = _describe(number, answered, time.perf_counter() - began)
        emit(values, as_json=as_json, text=_as_text(values))


def _answer(project: Any, question: str, k: int) -> tuple[int, Any]:
    from webapp.engine import client
    from webapp.errors import NotFound
    from webapp.health import is_alive
    from webapp.home import settings
    from webapp.models import Release, db
    from webapp.releases.service import champion_of
    from webapp.releases.serving import describe, load_release

    champion = champion_of(project)
    if champion is None:
        raise NotFound(
            f'{project.name} has no release in service yet; `errata index "{project.name}"` makes the first one.'
        )
    if settings().engine_url or is_alive("engine"):
        answer = client.ask(project.id, question, k=k)
        return db.session.get_one(Release, answer.release_id).number, answer.answered
    [answered] = load_release(describe(champion)).answer([question], k=k)
    return champion.number, answered


def _describe(number: int, answered: Any, seconds: float) -> dict[str, Any]:
    from webapp.models import Document, Passage, db

    ids = [hit.passage for hit in answered.hits]
    query = (
        select(Passage.id, Passage.text, Document.id, Document.external_id, Document.title)
        .join(Document)
        .where(Passage.id.in_(ids))
    )
    rows = {row[0]: row for row in db.session.execute(query)}
    passages = [
        {
            "document": rows[hit.passage][3] or str(rows[hit.passage][2]),
            "title": rows[hit.passage][4],
            "passage": hit.passage,
            "text": rows[hit.passage][1],
            "rank": hit.rank,
            "score": hit.score,
            "lift": hit.lift,
            "lift_label": hit.lift_label,
        }
        for hit in answered.hits
        if hit.passage in rows
    ]
    prediction = answered.prediction
    return {
        "answer": prediction.text,
        "answerable": prediction.answerable,
        "score": prediction.score,
        "release": number,
        "passages": passages,
        "seconds": round(seconds, 4),
    }


def _as_text(values: dict[str, Any]) -> str:
    answer = values["answer"] if values["answerable"] else "Not answerable from these passages."
    lines = [f"{answer}  (confidence {values['score']:.0%}, release {values['release']}, {values['seconds']:.2f} s)"]
    lines += [
        f"  {one['rank']}. {one['title'] or one['document']}: {' '.join(one['text'].split())[:160]}"
        for one in values["passages"]
    ]
    return "\n".join(lines)
