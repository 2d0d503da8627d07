"""Runs a model on what is new and keeps the rest; base and LoRA adapters in one batch over one copy
of the weights. Knows ids and logits, not text. Weights and adapters stay as they are.

Where a model keeps nothing that can be trusted, each step reads everything anew.
"""

from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor

from lmlab.models.backends.transformers import fast_gpt2, fast_llama
from lmlab.models.backends.transformers.body import close
from lmlab.models.backends.transformers.past import Past
from lmlab.models.backends.transformers.rowadapters import RowAdapter, row_adapters
from lmlab.models.backends.transformers.ways import HALF
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


class CachedDecoder(Decoder):
    """Rows that go on from what a model keeps, where that can be trusted."""

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
        ids = torch.tensor([list(rest) for rest in rests], device=self._device)
        logits = self._forward(ids)
        self._go_lean([self._lm], row_adapters([self._lm]))
        return logits

    def feed(self, newest: Sequence[int]) -> Tensor:
        for row, token in zip(self._ids, newest, strict=True):
            row.append(token)
        if self._keeping and not self._lm.reaches(max(map(len, self._ids))):
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

    @torch.inference_mode()
    def join(self, others: Sequence["CachedDecoder"]) -> None:
        super().join(others)
        if not all(one._keeping for one in (self, *others)):
            self._keeping, self._past, self._lean = False, None, None
        if self._lean is not None:
            self._lean.join([one._lean for one in others if one._lean])
        elif self._past is not None:
            self._past.join([one._past for one in others if one._past])
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


def goes_together(lm: LM) -> bool:
    """Whether rows of unequal length, some of which end or come later, are those of each alone."""
    lm.switch_on()
    ways = lm.ways
    if not ways.past:
        return True  # each step reads them anew
    return ways.border is None and ways.shared and ways.shown("together", lambda: _together(lm))


def _together(lm: LM) -> bool:
    """Three rows of other tokens and lengths, of which the longest ends and another one comes."""
    ids = lm.ways.probe
    texts = [ids, ids.flip(1), ids.roll(HALF, 1)]
    expected = torch.cat([lm.ways.whole(one) for one in texts])
    lists, read = [one[0].tolist() for one in texts], [3, HALF, HALF + 2]
    decoders, found = [CachedDecoder(lm) for _ in texts], list[tuple[int, int, Tensor]]()

    def feed(rows: Sequence[int]) -> None:
        logits = decoders[0].feed([lists[row][read[row]] for row in rows])
        for row, one in zip(rows, logits, strict=True):
            found.append((row, read[row], one))
            read[row] += 1

    for row in (0, 1):
        decoders[row].read(lists[row][: read[row]])
    decoders[0].join([decoders[1]])
    feed([0, 1])
    feed([0, 1])
    decoders[0].keep([0])
    feed([0])
    decoders[2].read(lists[2][: read[2]])
    decoders[0].join([decoders[2]])
    feed([0, 2])
    feed([0, 2])
    got = torch.stack([one for _, _, one in found])
    wanted = torch.stack([expected[row, place] for row, place, _ in found])
    return close(got.to(wanted.dtype), wanted)


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
