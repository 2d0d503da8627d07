"""Runs a model on what is new and keeps the rest in a cache. Knows ids and logits, not text."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.lean import LeanLlama, fits
from lmlab.lm import LM
from lmlab.rowadapters import row_adapters


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
        self._lean: LeanLlama | None = None

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read the prompt, once for all rows; the logits [R, V] of what comes next."""
        logits = self._forward(self._prompt(torch.tensor([ids], device=self._device)))
        if self._rows > 1:
            self._cache.batch_repeat_interleave(self._rows)
        self._go_lean([self._lm])
        return logits.expand(self._rows, -1)

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
    def _go_lean(self, lms: Sequence[LM]) -> None:
        """From here on without the library's forward pass, where the model is one that is known."""
        if all(fits(lm) for lm in lms):
            self._lean = LeanLlama(self._lm.model, self._cache, row_adapters(lms))

    @torch.inference_mode()
    def _prompt(self, ids: Tensor) -> dict[str, Tensor]:
        """What the model is given for a prompt [R, T]: its ids, or a soft prompt before it."""
        soft = self._lm.soft_prompt
        if soft is None:
            return {"input_ids": ids}
        embedded = self._lm.model.get_input_embeddings()(ids)
        return {"inputs_embeds": torch.cat([soft.expand(len(ids), *soft.shape), embedded], 1)}

    @torch.inference_mode()
    def _forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits [R, V] of the last position, in float32."""
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
        self._lm.switch_on()
        kept = {self._argument: self._cache}
        return self._lm.model(**inputs, **kept, use_cache=True, logits_to_keep=1)


def cache_argument(model: Any) -> str:
    """What a model's forward pass calls its cache; the name changed within transformers 5."""
    names = inspect.signature(model.forward).parameters
    return "cache" if "cache" in names else "past_key_values"
