"""Minimal pairs: two sentences that differ in one place, and which of them a model prefers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from lmlab.assets import assets_dir
from lmlab.budget import Left, Portion, Rounds, by_chance
from lmlab.errors import InputError
from lmlab.maths import agreement
from lmlab.maths.agreement import Interval
from lmlab.models.model import LM
from lmlab.scoring.score import score_many
from lmlab.scoring.scored import Scored
from lmlab.text.sets import Table, read_file

# Pairs scored together; between two batches a run can be stopped.
BATCH = 16
Pair = tuple[str, str, str, float]  # kind, good, bad, difference in nats


@dataclass(frozen=True)
class MinimalPair:
    """Two sentences, the first of which should be the likelier."""

    kind: str
    good: str
    bad: str


@dataclass(frozen=True)
class Judged:
    """A pair as a model sees it."""

    pair: MinimalPair
    good: Scored  # the first, scored as a text of its own
    bad: Scored

    @property
    def difference(self) -> float:
        """ln p(good) − ln p(bad), in nats: positive where the model prefers the first."""
        return self.good.logprob - self.bad.logprob

    @property
    def prefers_good(self) -> bool:
        """Whether the first is the likelier one."""
        return self.difference > 0


@dataclass(frozen=True)
class PairsResult:
    """How often a model prefers the good sentence."""

    model: str
    rows: tuple[Pair, ...]
    total: int  # pairs that there are
    portion: Portion | None = None  # of them, where the time was not enough for all
    left: Left | None = None  # while others are to be judged, where that is known

    @property
    def by_kind(self) -> dict[str, Interval]:
        """Share of preferred good sentences by kind, with bootstrap intervals."""
        groups: dict[str, list[list[float]]] = {}
        for kind, _, _, difference in self.rows:
            groups.setdefault(kind, []).append([float(difference > 0)])
        return {kind: agreement.bootstrap(hits) for kind, hits in groups.items()}

    @property
    def accuracy(self) -> Interval:
        """The same over all pairs."""
        return agreement.bootstrap([[float(row[3] > 0)] for row in self.rows])


def judge(lm: LM, pairs: Sequence[MinimalPair], top_k: int = 5) -> list[Judged]:
    """Score both sentences of each pair, as texts that begin at the start token."""
    texts = [text for pair in pairs for text in (pair.good, pair.bad)]
    scored = iter(score_many(lm, texts, top_k=top_k))
    return [Judged(pair, next(scored), next(scored)) for pair in pairs]


def iter_pairs(
    lm: LM, pairs: Sequence[MinimalPair], seconds: float = math.inf
) -> Iterator[PairsResult]:
    """Judge many pairs, as many as fit the seconds; yields what is known after each batch."""
    rounds, order = Rounds(len(pairs), seconds), by_chance(range(len(pairs)))
    found: dict[int, Pair] = {}
    for turn in rounds:
        for low in range(turn.start, turn.stop, BATCH):
            places = order[low : min(low + BATCH, turn.stop)]
            for place, one in zip(places, judge(lm, [pairs[i] for i in places], 0), strict=True):
                found[place] = (one.pair.kind, one.pair.good, one.pair.bad, one.difference)
            left = rounds.left(0, (len(found) - turn.start) / len(turn))
            yield PairsResult(lm.name, _ordered(found), len(pairs), left=left)
    if rounds.portion:
        yield PairsResult(lm.name, _ordered(found), len(pairs), rounds.portion)


def _ordered(found: Mapping[int, Pair]) -> tuple[Pair, ...]:
    return tuple(pair for _, pair in sorted(found.items()))


def first_difference(good: Scored, bad: Scored) -> tuple[int, int]:
    """The token of each where the two texts part, counted from 0."""
    pairs = zip(good.text, bad.text, strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return _token_at(good, shared), _token_at(bad, shared)


def shipped_pairs() -> list[MinimalPair]:
    """The pairs that come with lmlab."""
    return pairs_of(read_file(assets_dir() / "pairs" / "grammar.jsonl"))


def pairs_of(table: Table) -> list[MinimalPair]:
    """Pairs from a table: its columns ``good`` and ``bad``, else the first two; perhaps ``kind``.

    Raises:
        InputError: there are no two columns, or a sentence is empty; names the row.
    """
    names = [name for name in table.columns if name != "kind"]
    named = {"good", "bad"} <= set(names)
    good, bad = ("good", "bad") if named else [*names, "", ""][:2]
    if not bad:
        raise InputError(
            f"{table.name} has no two columns of sentences.", "Name them in the first line."
        )
    found = []
    for number, row in enumerate(table.rows, 1):
        for column in (good, bad):
            if not row.get(column, "").strip():
                raise InputError(f"{table.name}, row {number}: column ‘{column}’ is empty.")
        found.append(MinimalPair(row.get("kind", "").strip() or "pairs", row[good], row[bad]))
    return found


def _token_at(scored: Scored, char: int) -> int:
    ends = (i for i, end in enumerate(scored.tokens.ends) if end > char)
    return next(ends, len(scored.tokens) - 1)
