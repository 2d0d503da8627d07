"""Runs a model on many token sequences that begin alike: what they share is read once.

Gives the same rows as ``LM.rows``; where a model's cache does not allow that, it reads everything.
"""

import copy
import inspect
from collections.abc import Callable, Sequence
from functools import cache as memo
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.lm.heads import TOLERANCE, Hidden
from lmlab.lm.model import LM

# Shorter beginnings are not worth a cache.
LEAST = 8
PROBE = 12


class SharedPrefix:
    """A model that has read a prefix.

    Args:
        lm: the model; the caller holds its weights' lock.
        prefix: the ids that every sequence begins with, a soft prompt not counted; may be empty.
    """

    def __init__(self, lm: LM, prefix: Sequence[int]) -> None:
        self._lm = lm
        self.prefix = tuple(prefix)
        self._cache: DynamicCache | None = None
        if self.prefix:
            self._cache = DynamicCache(config=lm.model.config)
            self._run(torch.tensor([self.prefix], device=lm.device), self._cache)

    def rows(self, rests: Sequence[Sequence[int]]) -> Tensor:
        """The body's rows [B, T, H] of sequences without the prefix, padded on the right to T.

        Needs no mask: attention is causal, so that no position sees the padding after it.
        """
        return self._start(rests)[0]

    def read(self, rests: Sequence[Sequence[int]]) -> tuple[Tensor, DynamicCache]:
        """The logits [B, V] after each of several sequences of one length, and a cache of them."""
        rows, cache = self._start(rests, keep=True)
        assert cache is not None
        return self._logits(rows), cache

    def feed(self, newest: Sequence[int], cache: DynamicCache) -> Tensor:
        """Read one more token in each row of a cache; the logits [B, V] of what comes next."""
        ids = torch.tensor(newest, device=self._lm.device)[:, None]
        return self._logits(self._run(ids, cache))

    def _start(
        self, rests: Sequence[Sequence[int]], *, keep: bool = False
    ) -> tuple[Tensor, DynamicCache | None]:
        width = max(len(rest) for rest in rests)
        ids = torch.zeros(len(rests), width, dtype=torch.long)
        for i, rest in enumerate(rests):
            ids[i, : len(rest)] = torch.tensor(rest)
        ids = ids.to(self._lm.device)
        if self._cache is not None:
            cache = _widened(self._cache, len(rests))
        elif keep:
            cache = DynamicCache(config=self._lm.model.config)
        else:
            return self._checked(self._lm.rows, ids), None
        return self._run(ids, cache), cache

    def _run(self, ids: Tensor, cache: DynamicCache) -> Tensor:
        return self._checked(lambda given: _rows(self._lm, given, cache), ids)

    def _checked(self, run: Any, ids: Tensor) -> Tensor:
        """Switch the adapter on and run; the machine's limits become the user's errors."""
        self._lm.switch_on()
        try:
            rows: Tensor = run(ids)
        except torch.OutOfMemoryError as error:
            raise MemoryLimitError(
                "There is not enough memory for these prompts.", "Take fewer or shorter examples."
            ) from error
        return rows

    @torch.inference_mode()
    def _logits(self, rows: Tensor) -> Tensor:
        logits = self._lm.head.logits(rows[:, -1]).float()
        if logits.isnan().any():
            raise ModelError(
                f"‘{self._lm.name}’ gives not-a-number here.", "Its weights may be damaged."
            )
        return logits


def common_prefix(sequences: Sequence[Sequence[int]], most: int) -> tuple[int, ...]:
    """What all sequences begin with, at most ``most`` ids; empty when it is too short to matter."""
    ordered = [tuple(sequence) for sequence in sequences]
    first, last = min(ordered), max(ordered)
    length = 0
    for a, b in zip(first[:most], last[:most], strict=False):
        if a != b:
            break
        length += 1
    return first[:length] if length >= LEAST else ()


def can_share(lm: LM) -> bool:
    """Whether two rows that go on from a cache are what the model gives without one."""
    vocabulary = int(lm.model.get_input_embeddings().weight.shape[0])
    ids = [i % vocabulary for i in range(3, 3 + PROBE)]
    half = PROBE // 2
    lm.switch_on()
    expected = lm.rows(torch.tensor([ids], device=lm.device))[0, half:]
    try:
        got = SharedPrefix(lm, ids[:half]).rows([ids[half:]] * 2)[1]
    except Exception:
        # Architectures keep their past in many ways; any failure means: read everything.
        return False
    tolerance = TOLERANCE.get(expected.dtype, 1e-4)
    scale = float(expected.nan_to_num().abs().max())
    return torch.allclose(got, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


@torch.inference_mode()
def _rows(lm: LM, ids: Tensor, cache: DynamicCache) -> Tensor:
    """The body's rows [B, T, H] of ids [B, T] after what a cache holds, which grows by them."""
    inputs: dict[str, Tensor] = {"input_ids": ids}
    soft = lm.soft_prompt
    if soft is not None and not cache.get_seq_length():
        embedded = lm.model.get_input_embeddings()(ids)
        inputs = {"inputs_embeds": torch.cat([soft.expand(len(ids), *soft.shape), embedded], 1)}
    bare = isinstance(lm.body, Hidden)
    model = lm.model.base_model if bare else lm.model
    output = model(**inputs, **{_cache_name(type(model).forward): cache}, use_cache=True)
    rows: Tensor = output.last_hidden_state if bare else output.logits
    return rows[:, -ids.shape[1] :]


@memo
def _cache_name(forward: Callable[..., Any]) -> str:
    """What a model calls its cache: the older name is on its way out of transformers."""
    known = inspect.signature(forward).parameters
    return "cache" if "cache" in known else "past_key_values"


def _widened(cache: DynamicCache, rows: int) -> DynamicCache:
    """The same past for several rows; nothing is copied before the rows go on."""
    wide = copy.copy(cache)
    wide.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in wide.layers:
        for name in ("keys", "values"):
            held = getattr(layer, name)
            setattr(layer, name, held.expand(rows, *held.shape[1:]))
    return wide
