"""Models of the same weights side by side, one row each: the base and its plain LoRA adapters."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmlab.models.backends.transformers.adapters import Attached
from lmlab.models.backends.transformers.body import close
from lmlab.models.backends.transformers.decoding import CachedDecoder
from lmlab.models.backends.transformers.rowadapters import RowAdapter, row_adapters
from lmlab.models.backends.transformers.ways import probe_ids
from lmlab.models.decoding import Decoder
from lmlab.progress import Reading

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def stackable(lm: Any) -> bool:
    """Whether a model can be one row among others of the same weights."""
    config = lm.model.config.get_text_config()
    # A layer of experts sees some tokens of some rows, and could not tell whose they are.
    experts = any((getattr(config, name, None) or 0) > 1 for name in EXPERTS)
    if not lm.attached.plain or lm.attached.soft_prompt is not None or experts:
        return False
    lm.switch_on()
    return bool(lm.ways.shared)


def proved(lm: Any) -> bool:
    """Whether rows with a model's adapter and with none give what each gives by itself.

    Found out once for each adapter, on a few tokens, other ones in either row.
    """
    if lm.folder is None:
        return True
    known: dict[Path, bool] = lm.adapters.stacks
    if lm.folder not in known:
        known[lm.folder] = _stacks(lm)
    return known[lm.folder]


@torch.inference_mode()
def _stacks(lm: Any) -> bool:
    rows = [
        replace(lm, folder=None, attached=Attached()),
        replace(lm, attached=replace(lm.attached, alpha=1.0)),
    ]
    ids = probe_ids(lm.model)[0].tolist()
    read, fed = ids[:6], [ids[6:8], ids[8:10]]
    try:
        decoder = StackedDecoder(rows)
        got = torch.stack([decoder.read(read), *map(decoder.feed, fed)], 1)
    except Exception:
        # Layers take their inputs in many shapes; any failure means: not side by side.
        return False
    expected = []
    for row, one in enumerate(rows):
        one.switch_on()
        whole = torch.tensor([read + [newest[row] for newest in fed]], device=lm.device)
        logits = lm.model(input_ids=whole, use_cache=False).logits
        expected.append(logits[0, len(read) - 1 :])
    wanted = torch.stack(expected)
    return close(got.to(wanted.dtype), wanted)


class StackedDecoder(CachedDecoder):
    """One row for each of several models of the same weights."""

    def __init__(self, lms: Sequence[Any]) -> None:
        # The base's own layers run; the rows' differences come from here.
        base = replace(lms[0], folder=None, attached=Attached())
        super().__init__(base, len(lms))
        self._lms = lms
        self._adapted = row_adapters(lms)

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        """Read the prompt in every row, since each row's model sees it its own way."""
        self._begin([ids] * self._rows)
        if not self._keeping:
            return self._anew(self._ids)
        logits = yield from self._pieces(ids, self._rows)
        self._go_lean(self._lms, self._adapted)
        return logits

    def keep(self, places: Sequence[int]) -> None:
        super().keep(places)
        self._lms = [self._lms[place] for place in places]
        rows = torch.tensor(places, device=self._device)
        self._adapted = [one.select(rows) for one in self._adapted]

    def _anew(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        pairs = zip(self._lms, prompts, strict=True)
        return torch.cat([Decoder(lm).read(ids) for lm, ids in pairs])

    def _call(self, ids: Tensor) -> Tensor:
        with _placed(self._adapted):
            return super()._call(ids)


@contextmanager
def _placed(adapted: Sequence[RowAdapter]) -> Iterator[None]:
    """Put the stand-ins in for one forward pass."""
    for one in adapted:
        one.layer.forward = one
    try:
        yield
    finally:
        for one in adapted:
            del one.layer.forward
