"""The training iterator of a model from nothing: fine-tuning's loop over windows of a text, with
the lines that its loss is measured against, and samples from nothing on the way.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lmlab.errors import InputError
from lmlab.generation.sampling import GenerateConfig
from lmlab.maths.levels import entropy_of_counts, per_byte, per_token
from lmlab.models.tokens import Vocabulary
from lmlab.training.batches import text_loss
from lmlab.training.corpus import LOOKED_AT, first_chars, texts
from lmlab.training.events import Evaluated, Levels, Sampled, TrainEvent
from lmlab.training.examples import Material
from lmlab.training.finetune import run
from lmlab.training.loop import Loop
from lmlab.training.measuring import Measures
from lmlab.training.methods import Tuned
from lmlab.training.pacing import Stop
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.rows import Example
from lmlab.training.seeded import seeded
from lmlab.training.sets import TuningData
from lmlab.training.tokenizer import stream, train_tokenizer

# A finished model's name and its bits per byte on some documents; asked once, after the start.
Rival = Callable[[list[str]], tuple[str, float] | None]
LONGEST = 96  # tokens of a sample
OPENING = 3  # words that the second sample goes on from


@dataclass(frozen=True)
class Matter:
    """What a run learns from, as ids."""

    ids: Sequence[int]  # of the whole text to learn from, end-of-text between documents
    windows: Sequence[Example]  # of the context, each from the last id of the one before on
    valid: Sequence[Example]  # windows of the held-out text that is looked at
    held: Sequence[str]  # that text, its documents
    held_tokens: int  # how many tokens it has, end-of-text left out
    words: frozenset[str]  # that the text to learn from has, in small letters

    @property
    def held_bytes(self) -> int:
        """Of the held-out text in UTF-8."""
        return sum(len(text.encode()) for text in self.held)


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
    with seeded(config.seed):
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
    """The text as ids and windows. Raises InputError: the text is shorter than one window, or
    nothing is held out.
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


def pretrain(
    tuned: Tuned,
    matter: Matter,
    config: PretrainConfig,
    *,
    out: Path | None = None,
    rival: Rival | None = None,
    should_stop: Stop = lambda: None,
) -> Iterator[TrainEvent]:
    """Train; yields events, the last of them ``Finished``.

    Args:
        tuned: of ``fresh``; it is changed.
        out: the run's folder, which is gone on from if it holds a checkpoint; None writes nothing.
        rival: measures a finished model on the held-out text, for a line to compare with.
        should_stop: asked after every step; a reason ends the run and keeps what was learned.

    Raises:
        OSError: the disk is full, for instance; the last good checkpoint is kept.
    """
    material = Material(matter.windows, matter.valid)
    return run(
        PretrainLoop(
            tuned, material, out, should_stop, None, matter=matter, asked=config, rival=rival
        )
    )


@dataclass
class PretrainLoop(Loop):
    """Fine-tuning's loop over windows that start anywhere in the text."""

    matter: Matter = field(kw_only=True)
    asked: PretrainConfig = field(kw_only=True)
    rival: Rival | None = field(kw_only=True)

    def batches(self) -> Iterator[list[list[Example]]]:
        """One batch for each step that is left; its places follow from seed and step alone."""
        config, ids, length = self.config, self.matter.ids, self.asked.context
        last = max(0, len(ids) - length)
        for step in range(self.first, config.steps):
            rng = Random(f"{config.seed}/{step}")
            starts = [rng.randint(0, last) for _ in range(config.batch_size)]
            yield [[window(ids, start, length) for start in starts]]

    def measuring(self) -> Measures:
        """Held-out loss as in fine-tuning; samples of its own."""
        return Growth(
            self.tuned, self.material.valid, autocast=self.autocast, ask=self.pace.ask_measuring,
            asked=self.asked, matter=self.matter,
        )  # fmt: skip

    def opening(self) -> Iterator[TrainEvent]:
        """The lines that need no model at once, then again with the finished model's."""
        matter = self.matter
        end = int(self.tuned.vocabulary.tokenizer.eos_token_id)
        counts = Counter(matter.ids)
        counts.pop(end, None)
        known = Levels(
            uniform=math.log(len(self.tuned.vocabulary.tokenizer)),
            unigram=entropy_of_counts(counts.values()),
            bytes_per_token=matter.held_bytes / matter.held_tokens,
        )
        yield known
        found = self.rival(list(matter.held)) if self.rival else None
        if found:
            name, bits = found
            base = per_token(bits, matter.held_bytes, matter.held_tokens)
            yield replace(known, base=base, base_name=name)


@dataclass(frozen=True, kw_only=True)
class Growth(Measures):
    """What is measured of a model from nothing."""

    asked: PretrainConfig  # the run's config
    matter: Matter  # what it learns from

    def evaluate(self, step: int) -> Evaluated:
        """Held-out loss of all tokens, and bits a byte of the text's own."""
        began, tuned = time.perf_counter(), self.tuned
        tuned.model.eval()
        end = int(tuned.vocabulary.tokenizer.eos_token_id)
        with self.autocast():
            loss, nats = text_loss(
                tuned.model, self.valid, self.keep, tuned.base.device, end, self.ask
            )
        bits = per_byte(nats, self.matter.held_bytes, 1)
        return Evaluated(step, loss, None, None, time.perf_counter() - began, bits)

    def samples(self, step: int) -> Iterator[Sampled]:
        """From nothing, and from the first words of the held-out text: the same draws each time."""
        lm, vocabulary, asked = self.lm(), self.tuned.vocabulary, self.asked
        for index, prompt in enumerate(("", " ".join(self.matter.held[0].split()[:OPENING]))):
            ids = [*vocabulary.leading, *vocabulary.ids(prompt)][-asked.context // 2 :]
            controls = GenerateConfig(
                max_new_tokens=min(LONGEST, asked.context - 1),
                temperature=asked.temperature,
                seed=asked.seed + index,
                alternatives=0,
            )
            with torch.inference_mode():
                text, tokens = self._completed(lm, ids, controls)
            yield Sampled(step, index, prompt, "", text, tokens, self._share(text))

    def _share(self, text: str) -> float | None:
        """Share of the words that the text has; the last, which may be cut, left out."""
        words = words_of(text)
        words = words[:-1] if len(words) > 1 else words
        return sum(word in self.matter.words for word in words) / len(words) if words else None
