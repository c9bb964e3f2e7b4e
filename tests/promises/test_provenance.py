"""The provenance promise: an answer names its release and passages, a label what was shown to whom, a dataset its labels.

That a release names its iteration, and that its dataset, is looked at where one is really trained: ``test_kill.py``.
"""

from flask.testing import FlaskClient
from sqlalchemy import select

from tests.webapp.queue_rows import add_answer, add_queue, add_release, decide, labels_of, person_named, take
from webapp.models import Answer, AnswerPassage, Project, Question, db

SHOWN = "Yes, dogs are welcome at Kavo Bistro."
WRITTEN = "No, dogs are not welcome at Kavo Bistro."


def test_an_answer_names_its_release_its_prompt_and_its_passages_with_ranks_and_scores(
    client: FlaskClient, project: Project
) -> None:
    [question] = add_queue(project, 1, answer=SHOWN)
    answer = db.session.get_one(Answer, db.session.get_one(Question, question).answer_id)
    assert (answer.release_id, answer.prompt_version, answer.log_probability) == (project.champion_id, "qa-1", -1.2)
    rows = db.session.scalars(
        select(AnswerPassage).where(AnswerPassage.answer_id == answer.id).order_by(AnswerPassage.rank)
    ).all()
    assert [(row.rank, row.score, row.dense_score, row.bm25_score, tuple(row.terms)) for row in rows] == [
        (1, 0.83, 0.5, 1.0, ("dog", "kavo")),
        (2, 0.415, 0.5, 1.0, ("dog", "kavo")),
    ]
    assert answer.passage_id == rows[0].passage_id


def test_a_label_names_the_answer_shown_the_edit_the_time_and_the_person(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1, answer=SHOWN)
    question, form = take(client, project)
    answer = db.session.get_one(Question, question).answer_id
    assert decide(client, project, question, form, "correct", text=WRITTEN).status_code == 303
    [label] = labels_of(project)
    assert (label.question_id, label.answer_id, label.person_id) == (question, answer, person_named("Ada").id)
    assert label.edit_distance == 7  # "Yes" to "No" and " not" more
    assert 0 < label.seconds < 600


def test_a_label_goes_on_naming_what_it_was_about_when_the_question_is_answered_anew(
    client: FlaskClient, project: Project
) -> None:
    [question_id] = add_queue(project, 1, answer=SHOWN)
    question, form = take(client, project)
    shown = db.session.get_one(Question, question).answer_id
    decide(client, project, question, form, "accept")
    add_answer(question_id, add_release(project), "Maybe.", [])
    [label] = labels_of(project)
    assert label.answer_id == shown != db.session.get_one(Question, question).answer_id
    assert db.session.get_one(Answer, shown).text == label.text == SHOWN
