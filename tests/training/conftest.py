"""Tiny models, built once: a causal, a sequence-to-sequence and a span one, as folders of safetensors."""

from pathlib import Path

import pytest
import toys


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.build_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="session")
def tiny_seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.build_seq2seq(tmp_path_factory.mktemp("seq2seq"))


@pytest.fixture(scope="session")
def tiny_span(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.build_span(tmp_path_factory.mktemp("span"))


@pytest.fixture(scope="session")
def tiny_models(tiny_causal: Path, tiny_seq2seq: Path, tiny_span: Path) -> dict[str, Path]:
    return {"causal": tiny_causal, "seq2seq": tiny_seq2seq, "span": tiny_span}
