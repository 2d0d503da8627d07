"""Log-likelihoods of many continuations, as needed for labels and true answers.

Sequences that begin alike share what they begin with; continuations that need the same positions
share one row of a batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from lmlab.models.decoding import SharedPrefix, common_prefix, refuse_nan
from lmlab.models.model import LM
from lmlab.models.tokens import Encoded
from lmlab.models.windows import batched

# Rows × (prefix + rest) of one batch, which bounds what the cache takes.
BATCH_POSITIONS = 32_768


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of one continuation."""

    logprob: float  # Σ ln p of its tokens, in nats
    n_tokens: int
    greedy: bool  # whether each of them is the model's favourite
    n_context: int = 0  # how many tokens stand before them


@dataclass
class _Line:
    """One row of a batch, and the continuations whose positions it holds."""

    ids: tuple[int, ...]
    items: list[int] = field(default_factory=list)


def likelihoods(
    lm: LM, items: Sequence[Encoded], *, share: bool
) -> Iterator[dict[int, Likelihood]]:
    """Score the text of each item given its prefix; yields {place: likelihood} batch by batch.

    Args:
        items: each with at least one token of context; none longer than the model's context.
        share: whether to read a common beginning once.
    """
    inputs = [item.ids[:-1] for item in items]
    most = min(item.n_context for item in items) - 1
    prefix = common_prefix(inputs, most) if share else ()
    reader = SharedPrefix(lm, prefix)

    def full(rows: int, width: int) -> bool:
        return rows * (width - len(prefix)) > lm.held or rows * width > BATCH_POSITIONS

    for batch in batched(_lines(inputs), lambda line: len(line.ids), full):
        yield _score(lm, reader, items, batch)


def _lines(inputs: Sequence[tuple[int, ...]]) -> list[_Line]:
    """Rows that hold all inputs: one that begins another needs no row of its own."""
    lines: list[_Line] = []
    # In falling order whatever begins another comes right after those that it begins.
    for i in sorted(range(len(inputs)), key=lambda i: inputs[i], reverse=True):
        ids = inputs[i]
        if not lines or lines[-1].ids[: len(ids)] != ids:
            lines.append(_Line(ids))
        lines[-1].items.append(i)
    return lines


@torch.inference_mode()
def _score(
    lm: LM, reader: SharedPrefix, items: Sequence[Encoded], batch: list[_Line]
) -> dict[int, Likelihood]:
    shared = len(reader.prefix)
    rows = reader.rows([line.ids[shared:] for line in batch])
    wanted = [(row, i) for row, line in enumerate(batch) for i in line.items]
    picked, targets = [], list[int]()
    for row, i in wanted:
        item = items[i]
        picked.append(rows[row, item.n_context - 1 - shared : len(item.ids) - 1 - shared])
        targets += item.ids[item.n_context :]
    stats = lm.head.stats(torch.cat(picked), torch.tensor(targets, device=rows.device), 0)
    refuse_nan(stats.logprob, lm.name, "these prompts")
    assert stats.rank is not None  # of whole distributions
    counts = [len(part) for part in picked]
    columns = (torch.split(x.cpu(), counts) for x in (stats.logprob.double(), stats.rank))
    return {
        i: Likelihood(
            logprob=min(float(logprobs.sum()), 0.0),
            n_tokens=len(logprobs),
            greedy=bool((ranks == 1).all()),
            n_context=items[i].n_context,
        )
        for (_, i), logprobs, ranks in zip(wanted, *columns, strict=True)
    }
