"""A scored text as data for the page's token strip. Knows results only.

Columns travel as whole numbers, each once: the page makes log-probability, surprisal and
probability from the same ones.
"""

import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlab.measures import Column, Columns, Measure, Of, measures
from lmlab.scoring.scored import Scored, remarks

LN2 = math.log(2)
# Numbers travel as whole multiples of 1/SCALE: short, and exact to four decimals.
SCALE = 10_000
MOST = 1e6
COUNTS = ("rank", "rank_2", "bytes")  # columns of whole numbers
# Above this many tokens the page asks for alternatives when it needs them.
TOP_ON_WIRE = 400
# Characters of the prefix that stand before the strip.
PREFIX_SHOWN = 400


@dataclass(frozen=True)
class Shown:
    """What a visitor's session shows: one result or two of the same text."""

    name: str  # tells it from what was shown before
    runs: tuple[Scored, ...]  # the result under each model

    @classmethod
    def of(cls, runs: Sequence[Scored]) -> "Shown":
        """Results under a new name."""
        return cls(uuid.uuid4().hex[:12], tuple(runs))


def key() -> str:
    """What the page's script has to know to read a payload: the scale and the measures, as JSON."""
    return dump({"scale": SCALE, "measures": [_measure(one) for one in measures()]})


def _measure(one: Measure) -> dict[str, Any]:
    of = one.value if isinstance(one.value, Of) else Of(one.key)
    names = ("key", "label", "short", "about", "formula", "unit", "pair", "edges", "labels",
             "diverging", "digits")  # fmt: skip
    return {name: getattr(one, name) for name in names} | {
        "column": of.column,
        "times": of.times / (1 if of.column in COUNTS else SCALE),
        "exp": of.exp,
        "gap": of.gap,
        "per": of.per,
    }


def same_tokens(one: Scored, two: Scored) -> bool:
    """Whether two models cut the text alike, so that their tokens can be compared one by one."""
    return one.tokens.alike(two.tokens)


def payload(
    scored: Scored, other: Scored | None = None, *, name: str = "", wire: int = TOP_ON_WIRE
) -> str:
    """The strip's data as JSON: columns of whole numbers, alternatives only for texts of at most
    ``wire`` tokens. ``name`` tells it from others, so that alternatives sent later find theirs.
    """
    runs, known, same = [run_of(scored, wire)], scored.tokens.columns, False
    if other is not None:
        runs.append(run_of(other, wire))
        if same := same_tokens(scored, other):
            known = scored.tokens.beside(other.tokens)
    runs[0] |= numbers(known, pair=True)
    told = {"name": name, "measures": offered(known), "notes": remarks(scored, other)}
    return dump({**told, "runs": runs, "same": same})


def offered(columns: Columns) -> list[str]:
    """The measures that the page can show of these columns."""
    return [one.key for one in measures(columns)]


def tops(scored: Scored, low: int, high: int) -> dict[str, Any]:
    """Alternatives of some tokens as a list of words, and for each token [place of the actual one
    or −1, word, −ln p, word, −ln p, …]."""
    tokens, words = scored.tokens, dict[str, int]()
    rows = []
    for i in range(max(0, low), min(len(tokens), high)):
        own, found = int(tokens.columns["id"][i]), tokens.top.of(i)
        row = [next((place for place, one in enumerate(found) if one.id == own), -1)]
        for one in found:
            row += [words.setdefault(one.text, len(words)), whole(-one.logprob)]
        rows.append(row)
    return {"words": list(words), "rows": rows}


def tops_json(name: str, run: int, low: int, found: dict[str, Any]) -> str:
    """Alternatives sent on demand: of which payload and run, from which token on."""
    return dump({"name": name, "run": run, "low": low, **found})


def run_of(run: Scored, wire: int = TOP_ON_WIRE) -> dict[str, Any]:
    """One run of a payload."""
    tokens = run.tokens
    found: dict[str, Any] = {
        "model": run.model,
        "context": list(run.context),
        "prefix": run.prefix[-PREFIX_SHOWN:],
        "cut": len(run.prefix) > PREFIX_SHOWN,
        "texts": tokens.texts,
        "bpb": run.bits_per_byte if math.isfinite(run.bits_per_byte) else None,
        **numbers(tokens.columns),
    }
    if len(tokens) <= wire:
        found["tops"] = tops(run, 0, len(tokens))
    return found


def numbers(columns: Columns, *, pair: bool = False) -> dict[str, list[int | None]]:
    """What the page needs to know every measure that these columns give; of a pair of models what
    they have each is not repeated."""
    found: dict[str, list[int | None]] = {}
    for one in measures(columns):
        if one.pair is not pair:
            continue
        if not isinstance(one.value, Of):
            found[one.key] = _whole(one.value(columns), SCALE)
            continue
        for name in (one.value.column, one.value.per):
            if name and name not in found and not (one.value.gap and name == one.value.column):
                found[name] = _whole(columns[name], 1 if name in COUNTS else SCALE)
    return found


def _whole(values: Column, scale: int) -> list[int | None]:
    known = ~np.isnan(values)
    scaled = np.rint(np.clip(np.where(known, values, 0), -MOST, MOST) * scale)
    found: list[int | None] = scaled.astype(np.int64).tolist()
    if known.all():
        return found
    return [value if one else None for value, one in zip(found, known, strict=True)]


def whole(nats: float) -> int:
    """A number of nats as it travels, not below 0."""
    return round(min(max(nats, 0.0), MOST) * SCALE)


def dump(value: Any) -> str:
    """A value as JSON that is safe to stand in a page."""
    # No "<" leaves here, so the string is inert even where somebody takes it for HTML.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
