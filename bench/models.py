"""Models of real shapes with random weights, saved in the real format, for benchmarks alone."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedTokenizerFast,
)

from lmlab.models.model import LM

SEED = 0


def gpt2(folder: Path) -> Path:
    """GPT-2's smallest size: 124 M parameters, vocabulary 50,257, context 1,024."""
    return _save(GPT2LMHeadModel, GPT2Config(), folder, 50257)


def ten_million(folder: Path) -> Path:
    """A Llama of about 10 M parameters, vocabulary 4,096, context 1,024."""
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=320,
        intermediate_size=864,
        num_hidden_layers=7,
        num_attention_heads=5,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    return _save(LlamaForCausalLM, config, folder, 4096)


def without_cache(folder: Path) -> Path:
    """A GPT-1 of about 10 M parameters, which keeps nothing of what it has read."""
    config = OpenAIGPTConfig(vocab_size=4096, n_embd=320, n_layer=7, n_head=5, n_positions=1024)
    return _save(OpenAIGPTLMHeadModel, config, folder, 4096)


def endless(lm: LM) -> LM:
    """A model that no token ends, so that all contestants draw the same number of tokens."""
    lm.model.generation_config.eos_token_id = [-1]
    lm.model.config.eos_token_id = None
    lm.tokenizer.eos_token = None
    return lm


def wide_vocabulary(folder: Path) -> Path:
    """A small body under Qwen's vocabulary of 151,936, context 32,768."""
    config = LlamaConfig(
        vocab_size=151_936,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
    )
    return _save(LlamaForCausalLM, config, folder, 151_936)


def _save(kind: Any, config: Any, folder: Path, vocabulary: int) -> Path:
    torch.manual_seed(SEED)
    kind(config).eval().save_pretrained(folder)
    _tokenizer(vocabulary).save_pretrained(folder)
    return folder


def _tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level, with as many made-up merged tokens as it takes to fill the vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    table = {"<|endoftext|>": 0} | {char: i for i, char in enumerate(alphabet, 1)}
    table |= {f"‹{i}›": i for i in range(len(table), vocabulary)}
    tokenizer = Tokenizer(models.BPE(vocab=table, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
