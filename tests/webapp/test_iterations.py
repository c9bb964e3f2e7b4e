"""Starting, refusing, triggering and resuming iterations, and their pages."""

import datetime as dt
import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.conftest import sign_in_as
from tests.webapp.labelled import Labelled, decide, make_labelled, make_question
from webapp.db import write
from webapp.errors import Busy, DiskFull, Invalid
from webapp.iterations import service
from webapp.iterations.readiness import assess, newest_label
from webapp.iterations.trigger import maybe_start
from webapp.label.changes import changed_labels
from webapp.label.sidebar import next_iteration
from webapp.models import AuditEvent, Iteration, Job, Person, Project, Question, Release, db
from webapp.projects import settings as project_settings


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.iterations.trigger.LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr("webapp.iterations.trigger._waiting", {})


@pytest.fixture
def labelled(app: Flask, project: Project, person: Person) -> Labelled:
    return make_labelled(project, person)


def ask_more(labelled: Labelled, count: int, start: int = 0) -> list[Question]:
    passages = (labelled.luna, labelled.sol)
    return [
        make_question(labelled.project, f"Is {i} cards?", labelled.release, passages)
        for i in range(start, start + count)
    ]


def label_more(labelled: Labelled, count: int, verdict: str = "accept", start: int = 0) -> None:
    for question in ask_more(labelled, count, start):
        decide(question, labelled.person, verdict)


def begin(project: Project, person: Person | None = None) -> Iteration:
    with write() as session:
        return service.start(session, project, person=person)


def finish(iteration: Iteration, state: str = "succeeded") -> None:
    with write() as session:
        session.execute(update(Job).where(Job.id == iteration.job_id).values(state=state))
    db.session.expire_all()


def test_too_few_labels_are_a_sentence_with_what_is_missing(labelled: Labelled):
    with pytest.raises(
        Invalid, match=r"at least 8 labels .* there are 4 \(1 wrong answer .* and 1 skip not counted\)\. Label 4 more"
    ):
        begin(labelled.project)
    assert db.session.scalar(select(Job.id)) is None


def test_only_accepted_answers_are_nothing_to_learn(app: Flask, labelled: Labelled):
    for name, verdict in (("correct", "accept"), ("wrong_passage", "accept"), ("unanswerable", "accept")):
        decide(labelled.questions[name], labelled.person, verdict, version=2 if name == "correct" else 1)
    label_more(labelled, 8)
    with pytest.raises(Invalid, match="accept the model's own answer, so there is nothing to learn"):
        begin(labelled.project)


def test_only_refusals_are_refused(labelled: Labelled):
    for name in ("correct", "accept"):
        decide(labelled.questions[name], labelled.person, "unanswerable", version=2 if name == "correct" else 1)
    label_more(labelled, 8, "unanswerable")
    with pytest.raises(Invalid, match="would refuse every question"):
        begin(labelled.project)


def test_a_project_without_a_model_in_service_is_told_to_build_the_index(project: Project):
    with pytest.raises(Invalid, match='errata index "Restaurants"'):
        begin(project)


def test_a_second_iteration_waits_for_the_first(labelled: Labelled):
    label_more(labelled, 8)
    first = begin(labelled.project)
    with pytest.raises(Busy) as error:
        begin(labelled.project)
    assert (
        error.value.current_id == first.job_id
        if hasattr(error.value, "current_id")
        else str(first.job_id) in str(error.value)
    )
    finish(first, "failed")
    assert begin(labelled.project).number == 2


def test_where_abstentions_only_judge_they_do_not_count_as_labels_that_teach(client: FlaskClient, labelled: Labelled):
    label_more(labelled, 4)
    label_more(labelled, 4, "unanswerable", start=4)
    assert assess(labelled.project).missing == 0
    with write() as session:
        project_settings.update(session, labelled.project, abstention="off")
    ready = assess(labelled.project)
    assert ready.missing == 2  # of six answers
    assert "accepted or corrected; there are 6 " in ready.problem
    assert "6 unanswerable or wrong passage, which only judge here not counted" in ready.problem
    assert "wrong passage)." not in client.get(f"/p/{labelled.project.id}/").text


def test_changed_labels_are_new_edited_and_undone_ones(labelled: Labelled):
    project = labelled.project
    newest = newest_label(project.id)
    assert changed_labels(db.session(), project.id, newest) == 0
    decide(labelled.questions["accept"], labelled.person, "unanswerable", version=1)
    assert changed_labels(db.session(), project.id, newest) == 1
    decide(labelled.questions["accept"], labelled.person, "correct", version=2, text="maybe")
    assert changed_labels(db.session(), project.id, newest) == 1  # one decision changed, however often
    label_more(labelled, 1, "skip")
    assert changed_labels(db.session(), project.id, newest) == 1  # a new skip teaches nothing
    label_more(labelled, 1, start=5)
    assert changed_labels(db.session(), project.id, newest) == 2
    assert changed_labels(db.session(), project.id, 0) == 6  # five of the first six (not the skip), and the new one


def test_the_annotate_page_counts_what_starts_the_next_iteration(labelled: Labelled):
    """A decision of before the last iteration that became a skip is a change, also beside the question."""
    label_more(labelled, 8)
    finish(begin(labelled.project))
    decide(labelled.questions["accept"], labelled.person, "skip", version=1)
    label_more(labelled, 1, "skip", start=8)
    label_more(labelled, 1, start=9)
    beside = next_iteration(db.session(), labelled.project)
    assert beside.changed == assess(labelled.project).changed_since_last == 2
    assert assess(labelled.project).line.startswith(f"2 of {beside.train_after} new or changed labels")


def test_an_iteration_starts_by_itself_after_n_changed_labels_and_not_twice(labelled: Labelled):
    project = labelled.project
    with write() as session:
        project_settings.update(session, project, train_after=10)
    label_more(labelled, 4)
    assert maybe_start(project.id) is None
    assert "9 of 10 new or changed labels" in assess(project).line
    label_more(labelled, 1, start=20)
    started = maybe_start(project.id)
    assert started is not None
    assert started.config["reason"] == "After 10 new or changed labels."
    label_more(labelled, 12, start=40)
    assert maybe_start(project.id) is None  # one is on its way
    finish(started)
    assert maybe_start(project.id) is not None  # the next ten


def test_labels_that_another_web_process_stored_count_for_the_start(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("webapp.iterations.trigger.LOOK_AGAIN_S", 1000.0)
    with write() as session:
        project_settings.update(session, labelled.project, train_after=10)
    label_more(labelled, 1)
    assert maybe_start(labelled.project.id) is None
    label_more(labelled, 4, start=20)  # this process is not asked after them
    assert maybe_start(labelled.project.id) is not None


def test_a_label_from_the_annotate_page_starts_the_iteration_that_is_due(client: FlaskClient, labelled: Labelled):
    with write() as session:
        project_settings.update(session, labelled.project, train_after=9)
    label_more(labelled, 3)
    [question] = ask_more(labelled, 1, start=50)
    form = {
        "submission_id": uuid.uuid4().hex,
        "version": "0",
        "decision": "unanswerable",
        "answer_id": str(question.answer_id),
    }
    answer = client.post(f"/p/{labelled.project.id}/annotate/{question.id}", data=form)
    assert answer.status_code < 400, answer.text
    assert db.session.query(Iteration).one().config["reason"] == "After 9 new or changed labels."


def test_a_stored_label_is_told_as_stored_when_the_iteration_it_starts_cannot_be_written(
    client: FlaskClient, labelled: Labelled, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr("webapp.iterations.trigger.service.start", refuse)
    with write() as session:
        project_settings.update(session, labelled.project, train_after=9)
    label_more(labelled, 3)
    [question] = ask_more(labelled, 1, start=50)
    form = {"submission_id": uuid.uuid4().hex, "decision": "unanswerable", "answer_id": str(question.answer_id)}
    assert client.post(f"/p/{labelled.project.id}/annotate/{question.id}", data=form).status_code == 303


def test_a_held_iteration_is_not_started_again_at_the_next_label(labelled: Labelled):
    project = labelled.project
    with write() as session:
        project_settings.update(session, project, train_after=8)
    label_more(labelled, 8)
    started = maybe_start(project.id)
    assert started is not None
    finish(started)
    label_more(labelled, 1, start=30)
    assert maybe_start(project.id) is None
    assert "1 of 8 new or changed labels" in assess(project).line
    assert (
        "14 since the model in service was trained; the model of the last iteration with them is not in service"
        in assess(project).line
    )


def test_zero_means_never_and_says_so(labelled: Labelled):
    with write() as session:
        project_settings.update(session, labelled.project, train_after=0)
    label_more(labelled, 60)
    assert maybe_start(labelled.project.id) is None
    assert "never start by themselves" in assess(labelled.project).line


def test_the_list_starts_one_and_shows_it_live_and_cancels_it(client: FlaskClient, labelled: Labelled):
    label_more(labelled, 8)
    address = f"/p/{labelled.project.id}/iterations"
    assert "Start an iteration" in client.get(address).text
    answer = client.post(address)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{address}/1")
    page = client.get(f"{address}/1").text
    assert 'hx-trigger="every 2s"' in page
    assert "No worker is running: start one with `errata worker`." in page
    again = client.post(address)
    assert again.headers["Location"] == f"{address}/1"  # started already: the running one is shown
    assert db.session.query(Iteration).count() == 1
    assert client.post(f"{address}/1/cancel").status_code == 303
    cancelled = client.get(f"{address}/1").text
    assert "nothing changed and no label was lost" in cancelled
    assert 'hx-trigger="every 2s"' not in cancelled


def test_a_fragment_is_part_of_its_page(client: FlaskClient, labelled: Labelled):
    label_more(labelled, 8)
    begin(labelled.project)
    address = f"/p/{labelled.project.id}/iterations/1"
    fragment = client.get(address, headers={"HX-Request": "true"}).text
    assert fragment.strip().startswith('<div id="iteration"')
    assert "<html" not in fragment


def test_the_pages_say_how_many_labels_are_missing(client: FlaskClient, labelled: Labelled):
    home, page = (client.get(f"/p/{labelled.project.id}/{path}").text for path in ("", "iterations"))
    assert "Not yet: 4 more labels that teach something are needed" in home
    assert f'href="/p/{labelled.project.id}/iterations">Start an iteration' not in home
    assert "<button disabled" in page
    assert "Label 4 more on the annotate page" in page
    label_more(labelled, 4)
    home, page = (client.get(f"/p/{labelled.project.id}/{path}").text for path in ("", "iterations"))
    assert "Not yet" not in home
    assert f'href="/p/{labelled.project.id}/iterations">Start an iteration' in home
    assert "<button disabled" not in page


@pytest.mark.parametrize(
    ("attempt", "waited_s", "words"),
    [
        (1, 5, "12.5 minutes"),
        (2, 5, "last attempt: 12.5 minutes"),
        (1, 600, "12.5 minutes"),  # it waited, or the server was stopped meanwhile: nobody can tell
    ],
)
def test_how_long_a_run_took_says_so_where_only_its_last_attempt_is_known(
    client: FlaskClient, labelled: Labelled, attempt: int, waited_s: int, words: str
):
    label_more(labelled, 8)
    iteration = begin(labelled.project)
    assert re.search(r"<h2>About this run</h2>\s*</header>", client.get(address_of(iteration)).text)
    started = iteration.job.created_at + dt.timedelta(seconds=waited_s)
    times = {"started_at": started, "finished_at": started + dt.timedelta(minutes=12.5), "attempt": attempt}
    with write() as session:
        session.execute(update(Job).where(Job.id == iteration.job_id).values(state="failed", **times))
    assert f'<h2>About this run</h2><span class="meta">{words}</span>' in client.get(address_of(iteration)).text


def address_of(iteration: Iteration) -> str:
    return f"/p/{iteration.project_id}/iterations/{iteration.number}"


def test_a_refusal_is_shown_on_the_page(client: FlaskClient, labelled: Labelled):
    answer = client.post(f"/p/{labelled.project.id}/iterations")
    assert answer.status_code == 400
    assert "at least 8 labels" in answer.text


def test_a_failed_iteration_shows_its_text(client: FlaskClient, labelled: Labelled):
    label_more(labelled, 8)
    iteration = begin(labelled.project)
    with write() as session:
        session.execute(
            update(Job)
            .where(Job.id == iteration.job_id)
            .values(state="failed", error="The disk is full, so it stopped.")
        )
    assert "The disk is full, so it stopped." in client.get(f"/p/{labelled.project.id}/iterations/1").text


def test_a_person_can_hold_a_candidate_and_the_reason_is_kept(client: FlaskClient, labelled: Labelled):
    label_more(labelled, 8)
    iteration = begin(labelled.project)
    gate = {"decision": "promote", "reasons": ["F1 went up."], "metric": "f1", "needed": None,
            "interval": {"difference": 0.1, "low": 0.0, "high": 0.2, "n": 3}}  # fmt: skip
    with write() as session:
        session.execute(
            update(Iteration)
            .where(Iteration.id == iteration.id)
            .values(gate=gate, before={"f1": 0.1}, after={"f1": 0.2})
        )
    finish(iteration)
    address = f"/p/{labelled.project.id}/iterations/1"
    assert client.post(f"{address}/hold", data={"reason": "The menu changes on Monday."}).status_code == 303
    assert "The menu changes on Monday." in client.get(address).text
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "iteration.hold")).one()
    assert event.detail["reason"] == "The menu changes on Monday."
    assert (
        client.post(f"{address}/promote", data={"reason": "x"}).status_code == 400
    )  # there is no candidate to promote


def test_annotators_may_look_but_not_start_cancel_promote_or_hold(app: Flask, labelled: Labelled):
    label_more(labelled, 8)
    begin(labelled.project)
    annotator = sign_in_as(app, "Dot", "annotator")
    address = f"/p/{labelled.project.id}/iterations"
    assert annotator.get(address).status_code == 200
    for path in ("", "/1/cancel", "/1/promote", "/1/hold"):
        assert annotator.post(address + path, data={"reason": "x"}).status_code == 403
    assert annotator.post(f"/p/{labelled.project.id}/releases/1/promote").status_code == 403
    assert annotator.post(f"/p/{labelled.project.id}/releases/rollback").status_code == 403


def test_missing_rows_strangers_and_wrong_verbs_are_refused(
    client: FlaskClient, anonymous: FlaskClient, labelled: Labelled
):
    address = f"/p/{labelled.project.id}/iterations"
    assert client.get(f"{address}/9").status_code == 404
    assert client.get(f"{address}/9/curves/loss").status_code == 404
    assert client.get("/p/99/iterations").status_code == 404
    assert client.put(address).status_code == 405
    assert client.get(f"{address}/1/cancel").status_code == 405
    assert anonymous.get(address).status_code in (302, 303, 401)
    assert client.post(address, csrf=False).status_code in (400, 403)  # type: ignore[call-arg]


def test_the_releases_page_names_what_each_is_made_of(client: FlaskClient, labelled: Labelled):
    page = client.get(f"/p/{labelled.project.id}/releases").text
    assert "Release 1" in page
    assert ">in service</span>" in page
    assert labelled.release.sha256 in page


def test_a_release_that_is_not_whole_is_not_promoted(client: FlaskClient, labelled: Labelled):
    with write() as session:
        session.add(
            Release(project_id=labelled.project.id, number=2, answerer_path="projects/1/answerers/gone", answerer_sha256="2" * 64,
                    embedder="hash", sha256="3" * 64)
        )  # fmt: skip
    refused = client.post(f"/p/{labelled.project.id}/releases/2/promote")
    assert refused.status_code == 400
    assert "Say why in a few words" in refused.text
    answer = client.post(f"/p/{labelled.project.id}/releases/2/promote", data={"reason": "I looked at it."})
    assert answer.status_code >= 400
    assert "not whole" in answer.text
    project = db.session.get_one(Project, labelled.project.id, populate_existing=True)
    assert project.champion_id == labelled.release.id
