"""Runs a model on what is new and keeps the rest; base and LoRA adapters in one batch over one copy
of the weights. Knows ids and logits, not text. Weights and adapters stay as they are.

Where a model keeps nothing that can be trusted, each step reads everything anew.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmlab.models.backends.transformers import fast_gpt2, fast_llama
from lmlab.models.backends.transformers.adapters import Attached
from lmlab.models.backends.transformers.body import Past, close
from lmlab.models.backends.transformers.rowadapters import RowAdapter, row_adapters
from lmlab.models.backends.transformers.ways import HALF, probe_ids
from lmlab.models.decoding import Decoder, SharedPrefix, going_on
from lmlab.models.model import LM
from lmlab.progress import Reading

# A long prompt is read in pieces, so that a stop takes effect between them. Their lengths are known
# from the model alone: the same prompt is always read the same way.
WORK = 1e11  # operations of one piece: less than a second on two cores
KINDS: tuple[tuple[Any, Any], ...] = (
    (fast_llama.fits, fast_llama.LeanLlama),
    (fast_gpt2.fits, fast_gpt2.LeanGPT2),
)
LEAST, MOST = 64, 2048  # tokens of one piece
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


class CachedDecoder(Decoder):
    """Rows of one length that go on from what a model keeps, where that can be trusted."""

    def __init__(self, lm: LM, rows: int = 1) -> None:
        super().__init__(lm, rows)
        self._keeping = False  # what was read, from step to step
        self._device = lm.device
        self._past: Past | None = None
        # Which rows of the past, of how many, are those that go on.
        self._lanes: list[int] = []
        self._width = rows
        self._lean: fast_llama.Lean | None = None

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        self._begin([ids] * self._rows)
        if not self._keeping:
            return self._anew([ids]).expand(self._rows, -1)
        # Asked for several rows alone: a first token waits for no proof without use.
        shared = self._rows > 1 and self._lm.ways.shared
        logits = yield from self._pieces(ids, 1 if shared else self._rows)
        if shared:
            assert self._past is not None
            self._past = self._past.widened(self._rows)
        self._go_lean([self._lm], row_adapters([self._lm]))
        return logits.expand(self._rows, -1)

    def read_all(self, prompts: Sequence[Sequence[int]], prefix: SharedPrefix) -> Tensor:
        self._rows = len(prompts)
        self._begin(prompts)
        if not self._keeping:
            return self._anew(prompts)
        start = len(prefix.prefix)
        self._past = prefix.past(len(prompts), len(prompts[0]) - start)
        rests = prompts if self._past is None else [ids[start:] for ids in prompts]
        return self._forward(torch.tensor([list(rest) for rest in rests], device=self._device))

    def feed(self, newest: Sequence[int]) -> Tensor:
        for row, token in zip(self._ids, newest, strict=True):
            row.append(token)
        if self._keeping and not self._lm.reaches(len(self._ids[0])):
            self._keeping, self._past, self._lean = False, None, None
        if not self._keeping:
            return self._anew(self._ids)
        if self._lm.border is not None and len(self._ids[0]) == self._lm.border + 1:
            return self._beyond()
        if self._lean is not None:
            return self._step(torch.tensor(newest, device=self._device))
        ids = torch.tensor(newest, device=self._device)[:, None]
        if self._width == self._rows:
            return self._forward(ids)
        wide = ids.new_zeros(self._width, 1)
        wide[self._lanes] = ids
        return self._forward(wide)[self._lanes]

    def keep(self, places: Sequence[int]) -> None:
        self._rows = len(places)
        self._ids = [self._ids[place] for place in places]
        rows = torch.tensor(places, device=self._device)
        if self._lean is not None:
            self._lean.keep(rows)
        elif self._past is not None and self._lm.ways.shared:
            self._past.select(rows)
        else:
            # A past that cannot be cut goes on whole; what its other rows say is not looked at.
            self._lanes = [self._lanes[place] for place in places]
            return
        self._lanes, self._width = list(range(self._rows)), self._rows

    def _begin(self, prompts: Sequence[Sequence[int]]) -> None:
        self._lm.switch_on()
        ways = self._lm.ways
        trusted = ways.beside if len(prompts) > 1 else ways.past
        self._keeping = trusted and self._lm.reaches(len(prompts[0]))
        self._ids = [list(ids) for ids in prompts]
        self._past, self._lean = None, None
        self._lanes, self._width = list(range(len(prompts))), len(prompts)

    def _pieces(self, ids: Sequence[int], rows: int) -> Generator[Reading, None, Tensor]:
        size, done = self._piece(ids, rows), 0
        while True:
            part = torch.tensor([ids[done : done + size]] * rows, device=self._device)
            logits = self._forward(part)
            done += size
            if done >= len(ids):
                return logits
            yield Reading(done, len(ids))

    def _piece(self, ids: Sequence[int], rows: int) -> int:
        """How much of a prompt is read at once: all of it where the model allows no other way."""
        border = self._lm.border
        if not self._lm.ways.pieces or (border is not None and len(ids) > border):
            return len(ids)
        return piece(self._lm, rows)

    def _beyond(self) -> Tensor:
        """Read every row whole again: from here on other rotary factors hold for all of it."""
        self._past = None
        self._lanes, self._width = list(range(self._rows)), self._rows
        return self._forward(torch.tensor(self._ids, device=self._device))

    @torch.inference_mode()
    def _go_lean(self, lms: Sequence[LM], adapted: Sequence[RowAdapter]) -> None:
        """From here on without the library's forward pass, where that was shown to be equal."""
        for fits, kind in KINDS:
            if all(lean_equals(lm, fits, kind) for lm in lms):
                assert self._past is not None
                self._lean = kind(self._lm.model, self._past.state, adapted)

    @torch.inference_mode()
    def _forward(self, ids: Tensor) -> Tensor:
        """Logits [R, V] of the last of new ids [R, T], in float32."""
        with going_on():
            return self._checked(self._call(ids))

    @torch.inference_mode()
    def _step(self, ids: Tensor) -> Tensor:
        assert self._lean is not None
        # Others may share the weights, and have put an adapter of theirs in between.
        self._lm.switch_on()
        with going_on():
            return self._checked(self._lean.step(ids))

    def _call(self, ids: Tensor) -> Tensor:
        self._lm.switch_on()
        ways = self._lm.ways
        rows, self._past = ways.whole.over(ids, self._past, positions=ways.positions, last=True)
        logits: Tensor = rows[:, -1]
        return logits


@torch.inference_mode()
def lean_equals(lm: LM, fits: Any, kind: Any) -> bool:
    """Whether a kind of lean steps gives the logits of a model's plain forward pass."""
    lm.switch_on()
    return bool(lm.ways.shown(kind.__name__, lambda: fits(lm) and _lean_tried(lm, kind)))


def _lean_tried(lm: LM, kind: Any) -> bool:
    ids = lm.ways.probe
    expected = lm.ways.whole(ids)[0, HALF : HALF + 2]
    past = lm.ways.whole.over(ids[:, :HALF], None, positions=lm.ways.positions)[1]
    assert past is not None
    steps = kind(lm.model, past.state, row_adapters([lm]))
    found = torch.cat([steps.step(ids[0, i : i + 1]) for i in (HALF, HALF + 1)])
    return close(found, expected)


def piece(lm: LM, rows: int) -> int:
    """How many tokens of a long prompt are read at once, in each of so many rows."""
    if lm.device.type != "cpu":
        return MOST
    size = WORK / (2 * rows * sum(p.numel() for p in lm.model.parameters()))
    return int(max(LEAST, min(MOST, size)))


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
