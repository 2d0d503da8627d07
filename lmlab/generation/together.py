"""Completions of one model that go on together, whoever asked for them: each row with its own
controls, seed and end. Who comes later joins at the next step; who leaves frees his rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from lmlab.errors import ModelError
from lmlab.generation.complete import check_room
from lmlab.generation.completions import Step
from lmlab.generation.config import GenerateConfig
from lmlab.generation.streams import Stream, advance
from lmlab.models.decoding import Decoder, refuse_nan
from lmlab.models.model import LM

ROWS = 32  # that go on side by side
SHARE = 16  # of one caller, so that others always find some free
POSITIONS = 16_384  # of all rows, each as long as the longest may become


@dataclass(eq=False)
class Asked:
    """n completions of a prompt, with seeds from ``config.seed`` on."""

    caller: str
    ids: Sequence[int]
    config: GenerateConfig
    n: int
    tell: Callable[[Any], None]  # gets [(which, step), …], or an error; None at the end
    left: bool = False  # nobody waits for it any more
    ended: int = 0  # how many of the completions have


class Queue:
    """What was asked of one model. Safe for many threads."""

    def __init__(self) -> None:
        self._waiting: list[Asked] = []
        self._served = False  # whether somebody sees to it
        self._mutex = Lock()

    def add(self, asked: Sequence[Asked]) -> bool:
        """Have it wait; whether nobody sees to the queue, so that the caller has to."""
        with self._mutex:
            self._waiting += asked
            mine, self._served = not self._served, True
            return mine

    def take(self, lm: LM, going: Sequence[Asked]) -> list[Asked]:
        """Those for whom there is room beside rows on their way, the callers with the fewest first.

        Where nothing is on its way the first is taken whatever its size; where nothing waits
        either, nobody sees to the queue from now on.
        """
        rows, taken = list(going), list[Asked]()
        with self._mutex:
            self._waiting = [one for one in self._waiting if not one.left]
            while self._waiting:
                of = Counter(one.caller for one in rows)
                first = min(self._waiting, key=lambda one: of[one.caller])
                if rows and not _fits(lm, first, rows, of[first.caller]):
                    break
                self._waiting.remove(first)
                taken.append(first)
                rows += [first] * first.n
            self._served = bool(rows)
        return taken

    def drop(self) -> list[Asked]:
        """All that wait and cannot be helped; nobody sees to the queue from now on."""
        with self._mutex:
            found, self._waiting, self._served = self._waiting, [], False
        return found


def _fits(lm: LM, one: Asked, rows: Sequence[Asked], own: int) -> bool:
    """Whether there is room for one beside rows, of which so many are of the same caller."""
    ends = (len(other.ids) + other.config.max_new_tokens for other in (one, *rows))
    n, longest = one.n + len(rows), min(lm.context, max(ends))
    return n <= ROWS and n * longest <= POSITIONS and (not own or own + one.n <= SHARE)


@dataclass
class Lot:
    """Rows of one decoder, and the logits [R, V] of what comes next."""

    decoder: Decoder
    rows: list[tuple[Asked, int, Stream]]
    logits: Tensor

    def keep(self, places: Sequence[int]) -> bool:
        """Go on with some of the rows; whether there are any."""
        if places and len(places) < len(self.rows):
            self.decoder.keep(places)
            self.logits = self.logits[list(places)]
        self.rows = [self.rows[place] for place in places]
        return bool(places)

    def join(self, others: Sequence["Lot"]) -> None:
        """Go on with the rows of others too."""
        self.decoder.join([other.decoder for other in others])
        self.logits = torch.cat([self.logits, *(other.logits for other in others)])
        for other in others:
            self.rows += other.rows


def serve(lm: LM, queue: Queue) -> Iterator[None]:
    """Complete what is asked of a model until nothing waits. The caller has borrowed the model;
    others may have it at each stop.
    """
    lots: list[Lot] = []
    while True:
        taken = queue.take(lm, [asked for lot in lots for asked, _, _ in lot.rows])
        if not taken and not lots:
            return
        taken.sort(key=lambda one: (len(one.ids), one.ids))
        for _, same in groupby(taken, key=lambda one: one.ids):
            yield from _read(lm, list(same), lots)
        _merge(lm, lots)
        _advance_all(lm, lots)
        yield


def _read(lm: LM, asked: Sequence[Asked], lots: list[Lot]) -> Iterator[None]:
    """Read a prompt once for all who ask for it; what is on its way goes on between the pieces."""
    ids = list(asked[0].ids)
    try:
        check_room(lm, ids)
        rows = [
            (one, i, Stream(lm, one.config, ids, 0, one.config.seed + i))
            for one in asked
            for i in range(one.n)
        ]
        decoder = lm.decoder(len(rows))
        decoder.refuses = False
        pieces = decoder.reading(ids)
        while True:
            try:
                next(pieces)
            except StopIteration as done:
                lots.append(Lot(decoder, rows, done.value))
                return
            if all(one.left for one in asked):
                return
            _advance_all(lm, lots)
            yield
    except Exception as error:  # whatever it is, it is told to those who asked
        _fail(asked, error)


def _merge(lm: LM, lots: list[Lot]) -> None:
    """Put the rows side by side where the model was seen to allow it."""
    try:
        if len(lots) > 1 and lm.together:
            lots[0].join(lots[1:])
            del lots[1:]
    except Exception as error:  # whatever it is, it is told to those who wait
        for lot in lots:
            _fail([asked for asked, _, _ in lot.rows], error)
        lots.clear()


def _advance_all(lm: LM, lots: list[Lot]) -> None:
    for lot in list(lots):
        try:
            goes_on = _advance(lm, lot)
        except Exception as error:  # whatever it is, it is told to those who wait
            _fail([asked for asked, _, _ in lot.rows], error)
            goes_on = False
        if not goes_on:
            lots.remove(lot)


def _advance(lm: LM, lot: Lot) -> bool:
    """A token for each row; whether any row goes on."""
    for place in lot.logits.isnan().any(-1).nonzero()[:, 0].tolist():
        try:
            refuse_nan(lot.logits[place], lm.name, "this prompt")
        except ModelError as error:
            _fail([lot.rows[place][0]], error)
    if not lot.keep([i for i, (asked, _, _) in enumerate(lot.rows) if not asked.left]):
        return False
    steps = advance([stream for _, _, stream in lot.rows], lot.logits)
    told: dict[Asked, list[tuple[int, Step]]] = {}
    for (asked, which, _), step in zip(lot.rows, steps, strict=True):
        told.setdefault(asked, []).append((which, step))
        asked.ended += step.finish is not None
    for asked, found in told.items():
        asked.tell(found)
        if asked.ended == asked.n:
            asked.tell(None)
    if not lot.keep([i for i, (_, _, s) in enumerate(lot.rows) if s.finish is None]):
        return False
    lot.logits = lot.decoder.feed([stream.ids[-1] for _, _, stream in lot.rows])
    return True


def _fail(asked: Sequence[Asked], error: Exception) -> None:
    """Tell each once, and drop it."""
    for one in asked:
        if not one.left:
            one.left = True
            one.tell(error)
