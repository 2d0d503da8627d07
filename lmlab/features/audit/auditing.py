"""An audit computed: what several conventions read alike is read once."""

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmlab.features.audit.conventions import Convention, Conventions, Reading, Source, conventions
from lmlab.features.audit.results import Audit, Change, Row
from lmlab.models.decoding import memory_for, refuse_nan
from lmlab.models.model import LM, Read
from lmlab.models.tokens import encode
from lmlab.models.windows import Window, batched
from lmlab.progress import Progress
from lmlab.scoring.score import check_length

LEAST = 1e-3  # nats that make a difference
SHOWN = 12  # changes that a row shows
Key = tuple[tuple[int, ...], int, int]
Parts = dict[int, float]  # nats by token of the text, or by word; what comes before it below 0


class Stretch(NamedTuple):
    """Ids from a place on, as far as any window that begins there reads."""

    ids: tuple[int, ...]
    start: int
    low: int
    high: int


def iter_audit(lm: LM, text: str, most: int) -> Iterator[Progress | Audit]:
    """Progress, then the audit.

    Args:
        most: tokens of the text.

    Raises:
        InputError: the text is empty, one token, or too long.
        ModelError: the model gives not-a-number.
    """
    check_length(encode(lm.vocabulary, text), most)
    asked = conventions(lm, text)
    numbers = Numbers(lm, asked)
    yield from numbers.read()
    rows = [_row(one, numbers) for one in asked.rows]
    n_tokens = len(asked.sources["none"].ids)
    told = recipe(lm, asked)
    yield Audit(lm.name, text, lm.context, n_tokens, tuple(rows), *told, tuple(lm.notes))


class Numbers:
    """−ln p at every place that some convention counts."""

    def __init__(self, lm: LM, asked: Conventions) -> None:
        self.lm, self.asked = lm, asked
        self._nats: dict[Key, tuple[int, NDArray[np.float64]]] = {}

    def read(self) -> Iterator[Progress]:
        """Run the model. Windows that begin alike are one, but for a model whose factors depend on
        the length."""
        found: dict[Key, Stretch] = {}
        for row in self.asked.rows:
            for reading in () if row.missing else row.readings:
                ids = self.asked.sources[reading.source].ids
                for one in reading.windows:
                    known = found.get(key := self._key(ids, one), Stretch(ids, *astuple(one)))
                    low, high = min(known.low, one.low), max(known.high, one.high)
                    found[key] = Stretch(ids, one.start, low, high)
        total, done, limit = sum(map(_length, found.values())), 0, self.lm.batch_tokens
        pairs = batched(found.items(), lambda one: _length(one[1]), lambda n, w: n * w > limit)
        for batch in pairs:
            self._score(dict(batch))
            done += sum(_length(one) for _, one in batch)
            yield Progress(done, total)

    def _score(self, batch: dict[Key, Stretch]) -> None:
        some = batch.values()
        reads = [Read(one.ids[one.start : one.high], one.low - one.start) for one in some]
        with memory_for("for this text", "Shorten it."):
            stats = self.lm.score(reads, 0)
        refuse_nan(stats.logprob, self.lm.name, "this text")
        nats = -np.minimum(stats.logprob.cpu().double().numpy(), 0)
        parts = np.split(nats, np.cumsum([one.high - one.low for one in some])[:-1])
        for (key, one), part in zip(batch.items(), parts, strict=True):
            self._nats[key] = (one.low, part)

    def _key(self, ids: tuple[int, ...], window: Window) -> Key:
        return ids, window.start, 0 if self.lm.border is None else window.high

    def of(self, reading: Reading) -> Iterator[tuple[int, float]]:
        """(place in the source, nats times weight) of what a reading counts."""
        ids = self.asked.sources[reading.source].ids
        weights = reading.weights or (1.0,) * len(reading.windows)
        for window, weight in zip(reading.windows, weights, strict=True):
            low, nats = self._nats[self._key(ids, window)]
            for place in range(window.low, window.high):
                yield place, weight * float(nats[place - low])

    def parts(self, row: Convention, *, by_word: bool) -> Parts:
        """Nats of a row by token of the text, or by word of it."""
        found: Parts = defaultdict(float)
        for reading in row.readings:
            source = self.asked.sources[reading.source]
            words = self._words(source) if by_word else None
            for place, nats in self.of(reading):
                i = place - source.lead
                found[i if words is None or i < 0 else words[i]] += nats
        return found

    def _words(self, source: Source) -> list[int]:
        """Of each token of a source, the word of the whole text that it ends in or comes before."""
        whole = self.asked.sources["none"].text
        before = len(whole[: source.begin].split())
        ends = [word.end() for word in re.finditer(r"\S+", source.text)]
        return [before + min(bisect_left(ends, end), len(ends) - 1) for _, end in source.spans]

    def name(self, i: int, *, by_word: bool) -> str:
        """What a token of the text, or a word of it, is shown as; below 0 a start token."""
        source = self.asked.sources["twice" if i < 0 else "none"]
        if by_word and i >= 0:
            return source.text.split()[i]
        return self.lm.vocabulary.text(source.ids[source.lead + i])


def _length(one: Stretch) -> int:
    return one.high - 1 - one.start


def _row(one: Convention, numbers: Numbers) -> Row:
    """A convention's number, and what of the definition's sum is another one in it."""
    row = Row(one.key, one.group, one.name, one.how, one.unit, one.form, one.who,
              counted=one.counted, missing=one.missing)  # fmt: skip
    if one.missing:
        return row
    counted = [[nats for _, nats in numbers.of(reading)] for reading in one.readings]
    n = sum(map(len, counted))
    if not n:
        return replace(row, missing="Nothing of this text is counted so.")
    before = numbers.parts(numbers.asked.rows[0], by_word=one.by_word)
    after = numbers.parts(one, by_word=one.by_word)
    places = [i for i in {*before, *after} if abs(after.get(i, 0) - before.get(i, 0)) > LEAST]
    changes = sorted(
        (Change(numbers.name(i, by_word=one.by_word), before.get(i), after.get(i)) for i in places),
        key=lambda change: -abs(change.difference),
    )
    rest = changes[SHOWN:]
    return replace(
        row,
        total=math.fsum(nats for part in counted for nats in part),
        count=float(n if one.count is None else one.count),
        texts=tuple(math.exp(math.fsum(part) / len(part)) for part in counted if part)
        if one.form == "mean"
        else (),
        changes=tuple(changes[:SHOWN]),
        hidden=(len(rest), math.fsum(change.difference for change in rest)),
    )


def recipe(lm: LM, asked: Conventions) -> tuple[dict[str, Any], list[Any]]:
    """What a receipt reads: sources as (tokens before the text, text, how often a start token takes
    a place), and rows as (key, form, divisor, readings), each window with its weight."""
    names, used, rows = lm.vocabulary.names, dict[str, Any](), list[Any]()
    for row in asked.rows:
        if row.missing:
            continue
        readings = []
        for reading in row.readings:
            source = asked.sources[reading.source]
            lead = [names[i] for i in source.ids[: source.lead]]
            used[reading.source] = (lead, source.text, source.every)
            weights = reading.weights or (1.0,) * len(reading.windows)
            pairs = zip(reading.windows, weights, strict=True)
            readings.append((reading.source, [(*astuple(one), weight) for one, weight in pairs]))
        rows.append((row.key, row.form, row.count, readings))
    return used, rows
