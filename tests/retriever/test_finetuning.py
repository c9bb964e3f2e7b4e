"""Fine-tuning the encoder: it finds what it was shown, is saved safely, and is chosen only when held-out questions say so."""

from pathlib import Path

import numpy as np
import pytest

from retriever import encoder_trial, finetuning
from retriever.embedder import SentenceEmbedder, load_embedder, load_encoder
from retriever.encoder_trial import ENCODER, Tuning
from retriever.finetuning import Triple, TuningConfig, fine_tune, pick_negatives
from retriever.index import HybridIndex, passage_text
from retriever.learning import NOTHING, Choice, choose
from retriever.school import Taught, ranked_ids
from retriever.types import Passage, RetrieverError
from tests.encoders import build_encoder

SUBJECTS = {
    "vehicle": "Parking is behind the station.", "beverage": "Wine comes from Sicily.", "canine": "Dogs may sit on the terrace.",
    "payment": "Cards are accepted at the till.", "infant": "Children eat for half the price.", "heating": "Stoves warm the winter garden.",
}  # fmt: skip
PASSAGES = [Passage(number, text) for number, text in enumerate(SUBJECTS.values(), 1)]
SHAPES = ("{}", "The {}?", "Any {}?", "About {}", "My {}, possible?")
EAGER = TuningConfig(epochs=8, learning_rate=3e-3, batch=6, frozen=0.0)
SHORT = TuningConfig(epochs=1)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEmbedder:
    import torch

    torch.set_num_threads(1)
    loaded = load_embedder(str(build_encoder(tmp_path_factory.mktemp("encoder") / "tiny")))
    assert isinstance(loaded, SentenceEmbedder)
    return loaded


def triples() -> list[Triple]:
    texts = list(SUBJECTS.values())
    return [
        Triple(shape.format(word), texts[number], texts[number - 1])
        for shape in SHAPES
        for number, word in enumerate(SUBJECTS)
    ]


def test_a_fine_tuned_encoder_finds_what_it_was_shown_and_the_one_it_came_from_stays(
    embedder: SentenceEmbedder, tmp_path: Path
) -> None:
    questions, texts = [shape.format(word) for shape in SHAPES for word in SUBJECTS], list(SUBJECTS.values())
    before = embedder.encode(texts)
    seen: list[float] = []
    tuned = fine_tune(
        embedder, triples(), tmp_path / "one", config=EAGER, report=lambda fraction, _message: seen.append(fraction)
    )
    assert (tuned.encode(questions) @ tuned.encode(texts).T).argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5] * len(SHAPES)
    assert np.array_equal(embedder.encode(texts), before)
    assert (seen[-1], seen) == (1.0, sorted(seen))
    assert np.array_equal(load_encoder(tmp_path / "one").encode(texts), tuned.encode(texts))


def test_the_same_seed_gives_the_same_encoder_and_another_one_another(
    embedder: SentenceEmbedder, tmp_path: Path
) -> None:
    seeds = (0, 0, 1)
    made = [
        fine_tune(
            embedder, triples(), tmp_path / str(number), config=TuningConfig(epochs=1, batch=4, seed=seed)
        ).identity
        for number, seed in enumerate(seeds)
    ]
    assert made[0] == made[1] != made[2]
    assert embedder.identity not in made


def test_it_is_saved_as_16_bit_safetensors_without_code_or_a_pickle(embedder: SentenceEmbedder, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    fine_tune(embedder, triples()[:8], tmp_path / "encoder", config=SHORT)
    endings = {path.suffix for path in (tmp_path / "encoder").rglob("*") if path.is_file()}
    assert endings == {".json", ".safetensors"}
    assert {str(weight.dtype) for weight in load_file(tmp_path / "encoder" / "model.safetensors").values()} == {
        "float16"
    }
    (tmp_path / "encoder" / "more.bin").write_bytes(b"\x80\x04")
    with pytest.raises(RetrieverError, match="pickle"):
        load_encoder(tmp_path / "encoder")


def test_a_cancelled_fine_tuning_leaves_nothing(embedder: SentenceEmbedder, tmp_path: Path) -> None:
    def stop(_fraction: float, _message: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fine_tune(embedder, triples(), tmp_path / "encoder", config=EAGER, report=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_collapsed_is_refused(
    embedder: SentenceEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def collapse(model: torch.nn.Module, *_others: object) -> None:
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(0.01)

    monkeypatch.setattr(finetuning, "_train", collapse)
    with pytest.raises(RetrieverError, match="held, because it has collapsed"):
        fine_tune(embedder, triples(), tmp_path / "encoder", config=EAGER)
    choice = chosen(embedder, tmp_path / "scratch")
    assert (choice.adapter, choice.is_held) == (None, True)
    assert "collapsed" in choice.sentence


def test_hard_negatives_are_the_rejected_passages_and_then_the_nearest_that_surely_are_wrong() -> None:
    cosines = np.array([0.9, 0.8, 0.89, 0.5, 0.7], dtype=np.float32)
    wanted = np.array([True, False, False, False, False])
    allowed = np.array([True, True, False, True, True])  # the third is within 95 % of the right one
    assert pick_negatives(cosines, wanted, allowed, rejected=[3], count=2) == [3, 1]
    assert pick_negatives(cosines, wanted, allowed, rejected=[0], count=9) == [1, 4, 3]


def taught() -> list[Taught]:
    return [Taught(shape.format(word), (number,)) for shape in SHAPES for number, word in enumerate(SUBJECTS, 1)]


def chosen(
    embedder: SentenceEmbedder, folder: Path, *, questions: list[Taught] | None = None, config: TuningConfig = EAGER
) -> Choice:
    questions = questions or taught()
    vectors = embedder.encode([passage_text(passage) for passage in PASSAGES])
    index = HybridIndex.build(PASSAGES, vectors, embedder_identity=embedder.identity)
    asked = embedder.encode([item.text for item in questions])
    return choose(index, questions, asked, options=[NOTHING], tuning=Tuning(embedder, folder, config))


def test_an_encoder_is_chosen_when_questions_held_out_find_their_passage_by_it(
    embedder: SentenceEmbedder, tmp_path: Path
) -> None:
    choice = chosen(embedder, tmp_path / "scratch")
    assert choice.adapter is not None, choice.sentence
    assert choice.encoder == tmp_path / "scratch" / ENCODER
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [ENCODER]  # no trial is left over
    assert "on 16 questions held out" in choice.sentence
    tuned = load_encoder(choice.encoder)
    assert choice.adapter.embedder_identity == tuned.identity
    index = HybridIndex.build(
        PASSAGES, tuned.encode([passage.text for passage in PASSAGES]), embedder_identity=tuned.identity
    )
    new = ["Any vehicle here?"]
    assert ranked_ids(index, choice.adapter, new, tuned.encode(new), k=1) == [[1]]


def test_an_encoder_that_does_not_help_is_not_kept(embedder: SentenceEmbedder, tmp_path: Path) -> None:
    known = [Taught(passage.text, (passage.id,)) for passage in PASSAGES for _ in range(4)]
    choice = chosen(embedder, tmp_path / "scratch", questions=known, config=SHORT)
    assert (choice.adapter, choice.encoder, choice.is_held) == (None, None, False)
    assert "stays as it is" in choice.sentence
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_trial_in_a_large_corpus_embeds_only_what_comes_into_question(
    embedder: SentenceEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_trial, "MOST_EMBEDDED", 4)
    counts: list[int] = []
    build = HybridIndex.build

    def counting(passages: list[Passage], vectors: np.ndarray, **others: str) -> HybridIndex:
        counts.append(len(passages))
        return build(passages, vectors, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder_trial.HybridIndex, "build", counting)
    questions = [item for item in taught() if item.right[0] < 4]
    questions = questions + [Taught(f"{item.text} today", item.right) for item in questions]
    chosen(embedder, tmp_path / "scratch", questions=questions, config=SHORT)
    assert counts[1:] == [4, 4, 4, 4]
