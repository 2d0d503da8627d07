"""Runs a model on what is new and keeps the rest in a cache. Knows ids and logits, not text."""

import inspect
from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.lm import lean, leangpt2
from lmlab.lm.model import LM
from lmlab.lm.rowadapters import RowAdapter, row_adapters
from lmlab.results.completions import Reading

# A long prompt is read in pieces, so that a stop takes effect between them. Their lengths are known
# from the model alone: the same prompt is always read the same way.
WORK = 1e11  # operations of one piece: less than a second on two cores
KINDS: tuple[tuple[Any, Any], ...] = (
    (lean.fits, lean.LeanLlama),
    (leangpt2.fits, leangpt2.LeanGPT2),
)
LEAST, MOST = 64, 2048  # tokens of one piece


class Decoder:
    """One model, one prompt, several rows that go on from it.

    Args:
        lm: the model; the caller holds its weights' lock.
        rows: how many completions of the prompt run side by side.
    """

    def __init__(self, lm: LM, rows: int = 1) -> None:
        self._lm = lm
        self._rows = rows
        self._device = lm.device
        self._cache = DynamicCache(config=lm.model.config)
        self._argument = cache_argument(lm.model)
        self._lean: lean.LeanLlama | leangpt2.LeanGPT2 | None = None

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read the prompt; the logits [R, V] of what comes next."""
        pieces = self.reading(ids)
        while True:
            try:
                next(pieces)
            except StopIteration as done:
                logits: Tensor = done.value
                return logits

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        """Like ``read``, as a stream: how far it is, and the logits as the generator's value."""
        logits = yield from self._pieces(ids, 1)
        if self._rows > 1:
            self._cache.batch_repeat_interleave(self._rows)
        self._go_lean([self._lm], row_adapters([self._lm]))
        return logits.expand(self._rows, -1)

    def _pieces(self, ids: Sequence[int], rows: int) -> Generator[Reading, None, Tensor]:
        size, done = piece(self._lm, rows), 0
        while True:
            part = torch.tensor([ids[done : done + size]] * rows, device=self._device)
            logits = self._forward({"input_ids": part} if done else self._prompt(part))
            done += size
            if done >= len(ids):
                return logits
            yield Reading(done, len(ids))

    def feed(self, newest: Sequence[int]) -> Tensor:
        """Read one more token in each row; the logits [R, V] of what comes next."""
        ids = torch.tensor(newest, device=self._device)
        return self._forward({"input_ids": ids[:, None]})

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self._rows = len(places)
        rows = torch.tensor(places, device=self._device)
        if self._lean is not None:
            self._lean.keep(rows)
        else:
            self._cache.batch_select_indices(rows)

    @torch.inference_mode()
    def _go_lean(self, lms: Sequence[LM], adapted: Sequence[RowAdapter]) -> None:
        """From here on without the library's forward pass, where the model is one that is known."""
        for fits, kind in KINDS:
            if all(fits(lm) for lm in lms):
                self._lean = kind(self._lm.model, self._cache, adapted)

    @torch.inference_mode()
    def _prompt(self, ids: Tensor) -> dict[str, Tensor]:
        """What the model is given for a prompt [R, T]: its ids, or a soft prompt before it."""
        soft = self._lm.soft_prompt
        if soft is None:
            return {"input_ids": ids}
        self._lm.switch_on()
        embedded = self._lm.model.get_input_embeddings()(ids)
        return {"inputs_embeds": torch.cat([soft.expand(len(ids), *soft.shape), embedded], 1)}

    @torch.inference_mode()
    def _forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits [R, V] of the last position, in float32."""
        self._lm.switch_on()
        try:
            if self._lean is None:
                output = self._call(inputs).logits[:, -1]
            else:
                output = self._lean.step(inputs["input_ids"][:, 0])
        except torch.OutOfMemoryError as error:
            raise MemoryLimitError(
                "There is not enough memory to go on.", "Shorten the prompt."
            ) from error
        logits: Tensor = output.float()
        if logits.isnan().any():
            raise ModelError(
                f"‘{self._lm.name}’ gives not-a-number for this prompt.",
                "Its weights may be damaged.",
            )
        return logits

    def _call(self, inputs: dict[str, Tensor]) -> Any:
        kept = {self._argument: self._cache}
        return self._lm.model(**inputs, **kept, use_cache=True, logits_to_keep=1)


def piece(lm: LM, rows: int) -> int:
    """How many tokens of a long prompt are read at once, in each of so many rows."""
    if lm.device.type != "cpu":
        return MOST
    size = WORK / (2 * rows * sum(p.numel() for p in lm.model.parameters()))
    return int(max(LEAST, min(MOST, size)))


def cache_argument(model: Any) -> str:
    """What a model's forward pass calls its cache; the name changed within transformers 5."""
    names = inspect.signature(model.forward).parameters
    return "cache" if "cache" in names else "past_key_values"
