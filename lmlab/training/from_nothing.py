"""From a config and a text to a model with random weights, its tokenizer and its windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lmlab.errors import InputError
from lmlab.models.tokens import Vocabulary
from lmlab.training.corpus import LOOKED_AT, first_chars, texts
from lmlab.training.examples import Example
from lmlab.training.methods import Tuned
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData
from lmlab.training.tokenizer import stream, train_tokenizer


@dataclass(frozen=True)
class Matter:
    """What a run learns from, as ids."""

    ids: Sequence[int]  # of the whole text to learn from, end-of-text between documents
    # the same cut into windows of the context, each beginning with the last id of the one before
    windows: Sequence[Example]
    valid: Sequence[Example]  # windows of the held-out text that is looked at
    held: Sequence[str]  # that text, its documents
    held_tokens: int  # how many tokens it has, end-of-text left out
    words: frozenset[str]  # that the text to learn from has, in small letters


def architecture(config: PretrainConfig, vocabulary: int, end: int) -> LlamaConfig:
    """A Llama of that shape; embeddings and head are one table."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=config.width,
        intermediate_size=config.feed_forward,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.context,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )


def fresh(config: PretrainConfig, tokenizer: Any) -> Tuned:
    """A model with weights from the seed, all of which learn, as the training loop takes it."""
    made = architecture(config, len(tokenizer), int(tokenizer.eos_token_id))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model: Any = LlamaForCausalLM(made)
    model.float()
    model.config.use_cache = False
    trained = dict(model.named_parameters())
    vocabulary = Vocabulary(tokenizer)
    return Tuned(model, model, vocabulary, config.training(), config.context, trained)


def tokenizer_for(config: PretrainConfig, data: TuningData) -> Any:
    """The tokenizer of a run: trained on the part that is learned from."""
    return train_tokenizer(texts(data), config.vocabulary, config.context)


def matter(config: PretrainConfig, tokenizer: Any, data: TuningData) -> Matter:
    """The text as ids and windows.

    Raises:
        InputError: the text is shorter than one window, or nothing is held out.
    """
    train, held = texts(data), first_chars(texts(data, "valid"), LOOKED_AT)
    ids, held_ids = stream(tokenizer, train), stream(tokenizer, held)
    if len(ids) < config.context + 1 or not held:
        raise InputError(
            f"The text has {len(ids):,} tokens; a window alone has {config.context:,}.",
            "Give more text, or take a shorter context.",
        )
    end = int(tokenizer.eos_token_id)
    return Matter(
        ids=ids,
        windows=_cut(ids, config.context),
        valid=_cut(held_ids, config.context),
        held=held,
        held_tokens=sum(token != end for token in held_ids),
        words=frozenset(word for text in train for word in words_of(text)),
    )


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, signs around them taken off.

    >>> words_of('"Hello," she said.')
    ['hello', 'she', 'said']
    """
    found = (word.strip("\"'.,;:!?()[]-…“”‘’*").lower() for word in text.split())
    return [word for word in found if word]


def window(ids: Sequence[int], start: int, length: int) -> Example:
    """Ids from one place on; all but the first carry loss."""
    chosen = tuple(ids[start : start + length])
    return Example(chosen, 1, 0, 0, True, 0, "", "", None, start)


def _cut(ids: Sequence[int], length: int) -> list[Example]:
    """Every id but the first carries loss in exactly one window."""
    return [
        window(ids, start, length)
        for start in range(0, len(ids) - 1, length - 1)
        if start + 1 < len(ids)
    ]
