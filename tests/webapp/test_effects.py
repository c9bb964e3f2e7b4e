"""What the pages tell of stored evaluations and effects, and nothing but that."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from tests.conftest import sign_in_as
from tests.webapp.evaluated import add_effect, add_row, make_iteration, promote_row, use_label
from tests.webapp.labelled import Labelled, decide, make_labelled
from training.tasks import TASKS, get_task
from webapp.datasets import freeze as freezing
from webapp.db import write
from webapp.errors import Stale
from webapp.iterations import jobs, progress
from webapp.iterations.compare import RETRIEVAL, RETRIEVAL_MEANINGS
from webapp.iterations.labels_used import LabelsUsed, labels_used, to_write_down, written_down
from webapp.iterations.pages import list_lines
from webapp.label.effects import effects_of
from webapp.models import AuditEvent, Iteration, Label, Person, Project, Question, Release, db
from webapp.releases import by_hand
from webapp.releases.service import champion_of, release_or_404


@pytest.fixture
def labelled(app: Flask, project: Project, person: Person) -> Labelled:
    return make_labelled(project, person)


def give_to(client_name: str, label: int) -> None:
    """The label as this person's own."""
    with write() as session:
        owner = session.query(Person).where(Person.name == client_name).one()
        session.execute(update(Label).where(Label.id == label).values(person_id=owner.id))


def test_a_label_says_which_iterations_used_it_as_what_and_what_they_made_of_it(
    client: FlaskClient, labelled: Labelled
):
    label = labelled.by_verdict["correct"]
    address = f"/p/{labelled.project.id}/labels/{label}"
    assert "Nothing yet: after the next iteration" in client.get(address).text
    iteration, dataset = make_iteration(labelled.project, 1)
    use_label(dataset, label, "train", "correct", "preference")
    assert "No iteration has stored what became of this question" in client.get(address).text
    later, its_dataset = make_iteration(labelled.project, 2)
    use_label(its_dataset, label, "train", "correct")
    with write() as session:
        session.get_one(Iteration, later).gate = None
    assert "Iteration 2 has not compared its model with the one in service" in client.get(address).text
    add_effect(iteration, label, (0.0, 1.0), (4, 1))
    page = client.get(address).text
    assert "training, as correction, preference" in page
    assert "an old answer" in page
    assert "(wrong, F1 0.00)" in page
    assert "(right, F1 1.00)" in page
    assert "It was learned from · right passage 4 → 1" in page


def test_an_iteration_is_still_in_service_after_a_later_release_gave_its_answerer_another_index(
    client: FlaskClient, labelled: Labelled
):
    label, project = labelled.by_verdict["correct"], labelled.project
    iteration, dataset = make_iteration(project, 1)
    use_label(dataset, label, "train", "correct")
    add_effect(iteration, label, (0.0, 1.0))
    assert [one.is_in_service for one in effects_of(db.session(), [label])] == [False]
    with write() as session:
        made = session.query(Release).where(Release.iteration_id == iteration).one()
        session.add(Release(
            project_id=project.id, number=9, state="retired", answerer_path=made.answerer_path, answerer_sha256=made.answerer_sha256,
            embedder="hash", sha256="9" * 64, reason="The index was updated.",
        ))  # fmt: skip
    promote_row(project, 9)
    assert [one.is_in_service for one in effects_of(db.session(), [label])] == [True]
    assert [line.is_in_service for line in list_lines(project)] == [True]


def set_config(iteration: int, **values: object) -> None:
    with write() as session:
        row = session.get_one(Iteration, iteration)
        row.config = {**row.config, **values}


def words(client: FlaskClient, address: str) -> str:
    """A page's text, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(address).text).split())


def test_an_iteration_says_how_many_of_its_labels_it_was_given_and_what_the_others_did(
    client: FlaskClient, labelled: Labelled
):
    iteration, dataset = make_iteration(labelled.project, 1)
    address = f"/p/{labelled.project.id}/iterations/1"
    use_label(dataset, labelled.by_verdict["correct"], "train", "correct", "preference", "triple")
    assert "Its one label was given to it to learn from. Skips" in words(client, address)
    use_label(dataset, labelled.by_verdict["accept"], "test", "accept", "triple")
    use_label(dataset, labelled.by_verdict["wrong_answer"], "train", "reject")
    page = words(client, address)
    assert "1 of its 3 labels was given to it to learn from." in page
    assert "1 only judges: its question is in the validation or test part." in page
    assert "1 is of a kind that the project's settings leave aside." in page
    set_config(iteration, lessons={"rejects": True})
    page = words(client, address)
    assert "2 of its 3 labels were given to it" in page
    assert "leave aside" not in page


@pytest.mark.parametrize(
    ("kind", "config", "otherwise"),
    [
        ("triple", {"learn_retriever": "on"}, {"learn_retriever": "off"}),
        ("negative", {}, {"lessons": {"abstention": False}}),
        ("preference", {"lessons": {"preferences": "on"}}, {"lessons": {"preferences": "off"}}),
    ],
)
def test_a_label_counts_as_given_only_where_the_iteration_learns_its_kind(
    app: Flask, labelled: Labelled, kind: str, config: dict[str, object], otherwise: dict[str, object]
):
    iteration, dataset = make_iteration(labelled.project, 1)
    use_label(dataset, labelled.by_verdict["correct"], "train", kind)
    for values, learned in ((config, 1), (otherwise, 0)):
        set_config(iteration, **values)
        assert labels_used(db.session.get_one(Iteration, iteration)) == LabelsUsed(1, learned, 0)


def test_of_a_run_that_compared_nothing_the_page_says_nothing_of_labels(client: FlaskClient, labelled: Labelled):
    iteration, dataset = make_iteration(labelled.project, 1)
    use_label(dataset, labelled.by_verdict["correct"], "train", "correct")
    with write() as session:
        session.get_one(Iteration, iteration).gate = None
    assert "given to it" not in words(client, f"/p/{labelled.project.id}/iterations/1")


def test_two_iterations_on_one_dataset_each_say_what_they_learned_from(client: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}"
    first, dataset = make_iteration(labelled.project, 1)
    second, _ = make_iteration(labelled.project, 2)
    use_label(dataset, labelled.by_verdict["correct"], "train", "correct")
    use_label(dataset, labelled.by_verdict["wrong_answer"], "train", "reject")
    with write() as session:
        session.execute(update(Iteration).values(dataset_id=dataset))
    for number, lessons, passed_over in (
        (first, {"rejects": True, "passed_over": 3}, 12),
        (second, {"rejects": False}, 0),
    ):
        set_config(number, lessons=lessons, learned={"rows": {"correct": 1, "passed_over": passed_over}})
        set_config(number, **to_write_down(db.session.get_one(Iteration, number), dataset))
    lines = words(client, f"{address}/iterations").split("Started")[1].split("Iteration ")
    assert "2 labels" in next(line for line in lines if line.startswith("1 "))
    assert "1 of 2 labels" in next(line for line in lines if line.startswith("2 "))
    assert "All its 2 labels were given" in words(client, f"{address}/iterations/1")
    assert "1 of its 2 labels was given" in words(client, f"{address}/iterations/2")
    frozen = words(client, f"{address}/dataset/{dataset}")
    assert "iteration 1 (with 12 rows of passages passed over, made when learning), iteration 2 ." in frozen


def test_the_list_tells_labels_of_every_iteration_and_counts_only_what_was_not_written_down(
    client: FlaskClient, labelled: Labelled, statements: list[str]
):
    old, dataset = make_iteration(labelled.project, 1)
    newer, _ = make_iteration(labelled.project, 2)
    for name in ("correct", "accept"):
        use_label(dataset, labelled.by_verdict[name], "train", name)
    use_label(dataset, labelled.by_verdict["unanswerable"], "test", "negative")
    set_config(newer, labels={"total": 5, "learned": 5, "judging": 0})
    statements.clear()
    page = client.get(f"/p/{labelled.project.id}/iterations").text
    assert re.findall(r'data-name="To learn from">([^<]*)<', page) == ["5 labels", "2 of 3 labels"]
    assert len([one for one in statements if "dataset_label.split" in one]) == 1
    set_config(old, labels={"total": 3, "learned": 2, "judging": 1})
    statements.clear()
    assert client.get(f"/p/{labelled.project.id}/iterations").text == page
    assert statements
    assert not [one for one in statements if "dataset_label.split" in one]


def test_freezing_writes_down_how_many_labels_the_iteration_was_given(
    app: Flask, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(freezing, "resolve_base", lambda *_: tmp_path)
    number, _ = make_iteration(labelled.project, 1)
    with write() as session:
        session.get_one(Iteration, number).dataset_id = None
    iteration = db.session.get_one(Iteration, number)
    context = SimpleNamespace(guard=lambda _session: None)
    jobs._freeze_once(context, labelled.project, iteration)  # type: ignore[arg-type]
    db.session.expire_all()
    found = written_down(iteration)
    assert found is not None
    assert found.total == 5
    assert found == labels_used(iteration)


def test_every_figure_on_the_iteration_page_is_explained_to_whoever_opens_its_list(
    client: FlaskClient, labelled: Labelled
):
    iteration, _ = make_iteration(labelled.project, 1)
    figures = dict.fromkeys([*get_task("qa").METRICS, *RETRIEVAL], 0.5)
    with write() as session:
        session.execute(update(Iteration).where(Iteration.id == iteration).values(before=figures, after=figures))
    page = client.get(f"/p/{labelled.project.id}/iterations/1").text
    listed = re.findall(r"<dt>([^<]+)</dt><dd>[^<]{20,}</dd>", page.split("What these figures mean")[1])
    for name in (*get_task("qa").METRICS.values(), *RETRIEVAL.values(), "95 % interval"):
        assert page.count(f">{name}</") >= 2  # in the table and in the list
        assert name in listed
    assert "Answerable or not, AUROC" in client.get(f"/p/{labelled.project.id}/releases").text


def test_every_curve_and_metric_has_a_meaning():
    for name in TASKS:
        task = get_task(name)
        assert set(task.MEANINGS) == set(task.METRICS)
        assert set(progress.meanings(task)) == set(progress.titles(task))
    assert set(RETRIEVAL_MEANINGS) == set(RETRIEVAL)


def test_training_rows_count_what_was_made_beside_the_dataset(client: FlaskClient, labelled: Labelled):
    iteration, _ = make_iteration(labelled.project, 1)
    set_config(iteration, learned={"rows": {"correct": 5, "passed_over": 12, "rehearsal": 20}})
    assert "<dt>training rows</dt><dd>37</dd>" in client.get(f"/p/{labelled.project.id}/iterations/1").text
    set_config(iteration, learned={})
    assert "<dt>training rows</dt><dd>1</dd>" in client.get(f"/p/{labelled.project.id}/iterations/1").text


def test_the_last_decisions_say_what_each_taught(client: FlaskClient, labelled: Labelled):
    iteration, dataset = make_iteration(labelled.project, 1)
    taught, tested, silent = (labelled.by_verdict[name] for name in ("correct", "accept", "unanswerable"))
    for label in (taught, tested, silent):
        give_to("Ada", label)
    use_label(dataset, taught, "train", "correct")
    use_label(dataset, tested, "test", "accept")
    add_effect(iteration, taught, (0.0, 1.0), (4, 1))
    add_effect(iteration, tested, (0.5, 0.5), (None, None))
    later, dataset = make_iteration(labelled.project, 3)
    use_label(dataset, taught, "train", "correct")
    add_effect(later, taught, (1.0, 0.5), (1, None))
    page = client.get(f"/p/{labelled.project.id}/annotate").text
    assert (
        "Your label taught iteration 3: answer right → partly right, right passage 1 → not found" in page
    )  # the newest only
    assert "Your label taught iteration 1" not in page
    assert "Your label tested iteration 1: answer partly right as before<" in page
    assert page.count("Your label") == 2  # the third has no stored effect: nothing is said of it


def test_the_home_page_tells_what_the_last_iteration_changed_because_of_whom(
    app: Flask, client: FlaskClient, labelled: Labelled
):
    home = f"/p/{labelled.project.id}/"
    assert "No iteration has learned from labels yet" in client.get(home).text
    iteration, _ = make_iteration(labelled.project, 1)
    assert "No iteration has stored what it changed yet" in client.get(home).text
    sign_in_as(app, "Bo", "annotator")
    mine, lost, other = (labelled.by_verdict[name] for name in ("correct", "accept", "unanswerable"))
    give_to("Bo", other)
    add_effect(iteration, mine, (0.0, 1.0), (4, 1))
    add_effect(iteration, lost, (1.0, 0.2))
    add_effect(iteration, other, (0.5, 0.6))
    page = client.get(home).text
    assert "is not in service; with it, 1 labelled question would become right and 1 no longer would be" in " ".join(
        page.split()
    )
    assert "1 became right, 1 became wrong, of 2 asked again" in page  # Cy
    assert "0 became right, 0 became wrong, of 1 asked again" in page  # Bo
    assert page.index("Cy") < page.index("Bo <")
    assert "passage 4 → 1" in page
    promote_row(labelled.project, 2)
    assert "1 labelled question became right and 1 no longer is." in words(client, home)
    promote_row(labelled.project, 1)
    page = " ".join(client.get(home).text.split())
    assert '<dd>5 <span class="meta">and 1 skip</span></dd>' in page
    assert "was in service and no longer is; with it, 1 labelled question would become right" in page


def test_imported_test_questions_are_told_apart_from_labelled_ones(client: FlaskClient, labelled: Labelled):
    iteration, _ = make_iteration(labelled.project, 1)
    imported, other = labelled.questions["accept"].id, labelled.questions["unanswerable"].id
    for question in (imported, other):
        add_row(iteration, question, gold=[])
    address = f"/p/{labelled.project.id}/iterations/1"
    assert "came with their right answers" not in words(client, address)
    with write() as session:
        session.get_one(Question, imported).source = "gold"
    page = words(client, address)
    assert "1 of the 2 test questions came with their right answers, the other was labelled here." in page
    assert page.count("not answerable by the passage it came with") == 1


def test_blame_is_counted_and_each_list_is_one_click_away(client: FlaskClient, labelled: Labelled):
    iteration, _ = make_iteration(labelled.project, 1)
    names = ("correct", "accept", "unanswerable")
    blames = (
        ("retrieval_missed", ""),
        ("reading_missed", "reading_missed"),
        ("should_have_abstained", "reading_missed"),
    )
    for name, (before, after) in zip(names, blames, strict=True):
        add_row(iteration, labelled.questions[name].id, before_blame=before, after_blame=after)
    address = f"/p/{labelled.project.id}/iterations/1"
    figures = client.get(f"{address}/blame").json
    bars = {series["name"]: dict(series["points"]) for series in figures["series"]}
    assert bars["Retrieval missed"] == {"before": 1, "after": 0}
    assert bars["Reading missed"] == {"before": 1, "after": 2}
    assert {series["stack"] for series in figures["series"]} == {"wrong"}
    later, _ = make_iteration(labelled.project, 2)
    add_row(later, labelled.questions["accept"].id, before_blame="", after_blame="")
    [one] = [
        series
        for series in client.get(f"/p/{labelled.project.id}/iterations/blame").json["series"]
        if series["name"] == "Reading missed"
    ]
    assert one["points"] == [["before", 1], ["1", 2], ["2", 0]]
    page = client.get(address).text
    assert "?blame=retrieval_missed&amp;side=before#questions" in page
    # More shared words do not make a wrong answer good.
    assert page.count(">better, still wrong</td>") == 2
    assert page.count('<td class="whole good">better</td>') == 1
    listed = client.get(f"{address}?blame=retrieval_missed&side=before").text
    assert "When does Bistro Luna open?" in listed
    assert "Does Bistro Luna take cards?" not in listed
    listed = client.get(f"{address}?blame=reading_missed").text
    assert "When does Bistro Luna open?" not in listed
    assert "Does Bistro Luna take cards?" in listed
    assert "No such question" in client.get(f"{address}?blame=should_have_answered").text
    for unknown in ("blame=nobody", "side=left", "show=all"):
        answer = client.get(f"{address}?{unknown}")
        assert answer.status_code == 400
        assert f"The address says {unknown}; expected one of" in answer.text


def test_an_iteration_without_a_wrong_answer_says_so_instead_of_drawing_nothing(
    client: FlaskClient, labelled: Labelled
):
    make_iteration(labelled.project, 1)
    figures = client.get(f"/p/{labelled.project.id}/iterations/1/blame").json
    assert figures["series"] == []
    assert "every answer was right" in figures["empty"]


def test_ranks_are_shown_where_a_right_passage_is_known(client: FlaskClient, labelled: Labelled):
    iteration, _ = make_iteration(labelled.project, 1)
    known = {"f1": 0.0, "mrr_at_10": 0.0}
    add_row(iteration, labelled.questions["correct"].id, before_rank=None, after_rank=2, before=known, after=known)
    add_row(iteration, labelled.questions["accept"].id, split="rolling")
    page = client.get(f"/p/{labelled.project.id}/iterations/1").text
    assert "not found → 2" in page
    assert page.count("not found") == 1
    assert '<span class="tag">rolling</span>' in page


def test_of_two_people_who_decide_at_once_the_second_is_told(client: FlaskClient, labelled: Labelled):
    make_iteration(labelled.project, 1)
    make_iteration(labelled.project, 2)
    address = f"/p/{labelled.project.id}"
    assert 'name="champion" value="1"' in client.get(f"{address}/iterations/1").text  # what both pages show
    assert 'name="champion" value="1"' in client.get(f"{address}/releases").text
    promote_row(labelled.project, 3)  # the first person decides
    for path, data in (
        ("/iterations/1/promote", {"reason": "Mine is better."}), ("/iterations/1/hold", {"reason": "Wait."}),
        ("/releases/2/promote", {"reason": "Mine."}), ("/releases/rollback", {"reason": "Back."}),
    ):  # fmt: skip
        answer = client.post(address + path, data={**data, "champion": "1"})
        assert answer.status_code == 409, path
        assert "Release 3 was put into service after this page was opened, so nothing was changed" in answer.text
    champion = champion_of(labelled.project)
    assert champion is not None
    assert champion.number == 3
    assert db.session.query(AuditEvent).where(AuditEvent.action.in_(("release.promote", "iteration.hold"))).count() == 0


def test_a_person_who_saw_the_champion_of_now_can_decide(client: FlaskClient, labelled: Labelled):
    make_iteration(labelled.project, 1)
    answer = client.post(f"/p/{labelled.project.id}/iterations/1/hold", data={"reason": "Wait.", "champion": "1"})
    assert answer.status_code == 303
    decide(labelled.questions["skip"], labelled.person, "accept", version=1)  # labelling goes on


def test_the_second_is_told_also_when_the_first_decides_while_files_are_checked(
    app: Flask, labelled: Labelled, monkeypatch: pytest.MonkeyPatch
):
    make_iteration(labelled.project, 1)
    make_iteration(labelled.project, 2)
    monkeypatch.setattr(by_hand, "refuse_damaged", lambda *_: promote_row(labelled.project, 3))
    chosen = release_or_404(labelled.project, 2)
    for promote in (by_hand.promote_today, by_hand.promote_as_it_was):
        promote_row(labelled.project, 1)
        with pytest.raises(Stale, match="Release 3 was put into service"):
            promote(labelled.project, chosen, person=labelled.person, reason="Mine.", expected=1)
