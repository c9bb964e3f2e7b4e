"""A tiny sentence encoder built from a config: for what is trained and served, not for what it knows."""

from pathlib import Path
from typing import Any

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] parking is behind the station . wine comes from sicily dogs may sit on terrace cards are "
    "accepted at till children eat for half price stoves warm winter garden what about ? tell me of your rules any news today my "
    "special , so possible here who knows why hard to find vehicle beverage canine payment infant heating do you like a house was "
    "built in 1890"
).split()


def build_encoder(folder: Path, *, seed: int = 0) -> Path:
    """A two-layer BERT with mean pooling and a word tokenizer, untrained."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(dict.fromkeys(WORDS))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config: Any = BertConfig(
        vocab_size=len(words), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    inner = folder.with_name(f"{folder.name}-inner")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(config)
        model.embeddings.word_embeddings.weight.data.normal_()
        for same in (model.embeddings.position_embeddings, model.embeddings.token_type_embeddings):
            same.weight.data.zero_()
        model.save_pretrained(inner)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"
    ).save_pretrained(inner)  # fmt: skip
    transformer = Transformer(str(inner), max_seq_length=64)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling]).save_pretrained(str(folder), create_model_card=False)
    return folder
