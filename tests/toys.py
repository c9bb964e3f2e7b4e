"""Tiny models built from a configuration, and a toy question-answering set that they learn within seconds."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.types import Example, Gold, Target

NAMES = ("Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Irma", "Jonas", "Karla", "Luis")
CITIES = ("Rome", "Oslo", "Lima", "Cairo", "Delhi", "Paris", "Kyoto", "Quito")
JOBS = ("baker", "pilot", "nurse", "singer", "tailor", "judge")
SPECIAL = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
BERT_SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def toy_rows(count: int, *, seed: int = 0) -> list[tuple[str, str, str]]:
    """(question, passage, answer): where somebody lives or works as; "" where the passage does not say."""
    chooser = random.Random(seed)
    rows = []
    for i in range(count):
        name, city, job = chooser.choice(NAMES), chooser.choice(CITIES), chooser.choice(JOBS)
        passage = f"{name} lives in {city} ." if i % 3 else f"{name} works as a {job} ."
        asks_city = chooser.random() < 0.5
        question = f"Where does {name} live ?" if asks_city else f"What does {name} work as ?"
        says_city = bool(i % 3)
        answer = (city if asks_city else job) if asks_city == says_city else ""
        rows.append((question, passage, answer))
    return rows


def write_gold(path: Path, count: int, *, seed: int) -> Path:
    """The same as a file of gold rows."""
    rows = [
        {
            "question": question,
            "context": passage,
            "is_impossible": not answer,
            "answers": [{"text": answer, "start": passage.index(answer)}] if answer else [],
        }
        for question, passage, answer in toy_rows(count, seed=seed)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def toy_examples(count: int, *, seed: int = 0) -> list[Example]:
    return [
        Example(question, passage, Target(answer, answerable=bool(answer)))
        for question, passage, answer in toy_rows(count, seed=seed)
    ]


def toy_golds(count: int, *, seed: int = 1) -> list[Gold]:
    return [
        Gold(f"gold-{i}", question, (passage,), (answer,) if answer else ())
        for i, (question, passage, answer) in enumerate(toy_rows(count, seed=seed))
    ]


def build_causal(folder: Path) -> Path:
    """A two-layer GPT-2 with a byte-level tokenizer of its own."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _byte_tokenizer()
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=64,
        n_layer=2,
        n_head=4,
        initializer_range=0.1,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(GPT2LMHeadModel, config, tokenizer, folder)


def build_seq2seq(folder: Path) -> Path:
    """A small T5 whose tokenizer ends every text with the end token."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = _byte_tokenizer(ends=True)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(T5ForConditionalGeneration, config, tokenizer, folder)


def build_span(folder: Path, *, positions: int = 128) -> Path:
    """A two-layer BERT with a span head and a word tokenizer."""
    from transformers import BertConfig, BertForQuestionAnswering

    tokenizer = _word_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return _save(BertForQuestionAnswering, config, tokenizer, folder)


def _save(model: Any, config: Any, tokenizer: Any, folder: Path) -> Path:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _texts() -> Sequence[str]:
    from training.tasks import qa

    prompts = [qa.format(question, passage) for question, passage, _ in toy_rows(300)]
    return [*prompts, qa.format_target(Target("", answerable=False)), *(f" {word}" for word in CITIES + JOBS + NAMES)]


def _byte_tokenizer(*, ends: bool = False) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(SPECIAL.values()), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    if ends:
        end = tokenizer.token_to_id("</s>")
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=list(BERT_SPECIAL.values()), show_progress=False)
    tokenizer.train_from_iterator(_texts(), trainer)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=names, **BERT_SPECIAL)
