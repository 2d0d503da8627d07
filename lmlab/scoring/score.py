"""Scoring: the log-probability of every token of a text under a model (the lecture's ℓ).

Batches by length, cuts long texts into windows, and never holds a table of length × vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lmlab.errors import InputError
from lmlab.maths.metrics import RowStats
from lmlab.measures import Column
from lmlab.models.decoding import memory_for, refuse_nan
from lmlab.models.model import LM, Read
from lmlab.models.tokens import BosSetting, Encoded, Vocabulary, encode, with_end
from lmlab.models.windows import Window, WindowMode, batched, default_stride, plan
from lmlab.progress import Progress
from lmlab.scoring.scored import Scored, Windowing
from lmlab.scoring.tokens import Alternatives, Tokens, integers


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One text to score."""

    text: str
    prefix: str = ""  # what it is conditioned on (the lecture's x_{1:t})
    end: bool = False  # whether the end token after the text is scored too
    # whether white space at the end of the prefix stays there, as ``encode`` has it
    given: bool = False


# Rounding can lift a certain token's log-probability a hair above 0.
LIMITS = {"logprob": (None, 0), "rank": (1, None), "entropy": (0, None), "best": (None, 0)}


@dataclass(frozen=True, slots=True)
class Job:
    """One window of one request."""

    request: int
    ids: tuple[int, ...]
    window: Window


# Statistics of consecutive positions, those that the backend gives, by the names of ``RowStats``.
Rows = dict[str, NDArray[Any]]


class How(TypedDict, total=False):
    """How texts are scored, as ``iter_scores`` says."""

    top_k: int
    bos: BosSetting
    windows: WindowMode
    stride: int | None


def score(lm: LM, text: str, *, prefix: str = "", end: bool = False, **how: Unpack[How]) -> Scored:
    """Score every token of ``text`` given ``prefix``: ln p(x_i | x_{<i}), rank, entropy, top-k.

    ``end`` scores the end token after the text too; all else as of ``iter_scores``.
    """
    return score_many(lm, [ScoreRequest(text, prefix, end)], **how)[0]


def score_many(lm: LM, requests: Sequence[ScoreRequest | str], **how: Unpack[How]) -> list[Scored]:
    """Score many texts, batched by length; each result is the same as of ``score`` alone."""
    return [step for step in iter_scores(lm, requests, **how) if isinstance(step, Scored)]


def iter_scores(
    lm: LM,
    requests: Sequence[ScoreRequest | str],
    *,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
    max_tokens: int | None = None,
) -> Iterator[Progress | Scored]:
    """Score many texts as a stream: progress after each batch, then the results in order.

    Args:
        top_k: how many alternatives to keep for each token.
        bos: what stands before the first token: ``tokenizer``, which is its own default,
            ``always`` or ``never`` BOS, or a token by name.
        windows: how a text longer than the model's context is cut.
        stride: of sliding windows, in tokens; half the context by default.
        max_tokens: of one text.

    Raises:
        InputError: a text is empty, too long or not valid Unicode, the model does not know one of
            its tokens, or the stride is out of range.
        ModelError: the model gives not-a-number.
    """
    if top_k < 0:
        raise InputError(f"top_k must be 0 or more, not {top_k}.")
    asked = [ScoreRequest(r) if isinstance(r, str) else r for r in requests]
    encoded = [_encoded(lm.vocabulary, request, bos) for request in asked]
    for item in encoded:
        check_length(item, max_tokens)
    plans = [plan(max(1, e.n_context), len(e.ids), lm.context, windows, stride) for e in encoded]
    jobs = [Job(i, encoded[i].ids, w) for i, plan_ in enumerate(plans) for w in plan_ if w.length]
    total, done = sum(job.window.length for job in jobs), 0
    rows: dict[tuple[int, int], Rows] = {}
    limit = lm.batch_tokens
    for batch in batched(jobs, lambda job: job.window.length, lambda n, width: n * width > limit):
        rows |= _score_batch(lm, batch, top_k)
        done += sum(job.window.length for job in batch)
        yield Progress(done, total)
    for i, item in enumerate(encoded):
        parts = [rows[i, w.low] for w in plans[i] if w.length]
        yield assemble(lm, item, parts, windowing(len(plans[i]), windows, stride, lm.context))


def _encoded(vocabulary: Vocabulary, request: ScoreRequest, bos: BosSetting) -> Encoded:
    item = encode(vocabulary, request.text, request.prefix, bos, given=request.given)
    return with_end(vocabulary, item) if request.end else item


def check_length(item: Encoded, max_tokens: int | None) -> None:
    """Refuse a text beyond a limit."""
    if max_tokens is not None and len(item.ids) > max_tokens:
        raise InputError(
            f"The text has {len(item.ids):,} tokens; at most {max_tokens:,} are scored.",
            "Score a shorter part of it.",
        )


def _score_batch(lm: LM, batch: list[Job], top_k: int) -> dict[tuple[int, int], Rows]:
    """Run one batch; the rows of each window, by request and first position."""
    stats = _checked(lm, lambda: lm.score(_reads(batch), top_k))
    counts = [job.window.high - job.window.low for job in batch]
    pieces = zip(batch, split(stats, counts), strict=True)
    return {(job.request, job.window.low): rows for job, rows in pieces}


def predictions(lm: LM, batch: list[Job]) -> tuple[Tensor, Tensor]:
    """The rows [N, H] that predict a batch's scored positions, and those positions' ids [N]."""
    with _room():
        return lm.predictions(_reads(batch))


def statistics(lm: LM, rows: Tensor, targets: Tensor, top_k: int) -> RowStats:
    """What is kept of the distributions that rows predict.

    Raises:
        ModelError: they are not-a-number.
    """
    return _checked(lm, lambda: lm.head.stats(rows, targets, top_k))


def _reads(batch: list[Job]) -> list[Read]:
    return [Read(job.ids[w.start : w.high], w.low - w.start) for job in batch for w in [job.window]]


@torch.inference_mode()
def _checked(lm: LM, ask: Callable[[], RowStats]) -> RowStats:
    with _room():
        stats = ask()
    refuse_nan(stats.logprob, lm.name, "this text")
    return stats


def _room() -> AbstractContextManager[None]:
    return memory_for("for this text", "Shorten it.")


def split(stats: RowStats, counts: list[int]) -> Iterator[Rows]:
    """Statistics of several windows apart."""
    names = [name for name in RowStats.__dataclass_fields__ if getattr(stats, name) is not None]
    columns = [getattr(stats, name).cpu().split(counts) for name in names]
    for parts in zip(*columns, strict=True):
        yield {name: part.numpy() for name, part in zip(names, parts, strict=True)}


def windowing(count: int, mode: WindowMode, stride: int | None, context: int) -> Windowing | None:
    """How a text was cut; None when it was not."""
    if count == 1:
        return None
    step = context if mode == "disjoint" else stride or default_stride(context)
    return Windowing(mode, step, count)


def assemble(lm: LM, item: Encoded, parts: list[Rows], windowing: Windowing | None) -> Scored:
    """The result of one text from the rows of its windows."""
    vocabulary = lm.vocabulary
    return Scored(
        model=lm.name,
        text=item.text,
        prefix=item.prefix,
        tokens=_tokens(vocabulary, item, parts),
        moved=item.moved,
        context=tuple(vocabulary.text(i) for i in item.lead),
        windowing=windowing,
        limit=lm.context,
        unknown=_unknown(vocabulary, item),
        notes=(*vocabulary.notes, *lm.reading),
    )


def _unknown(vocabulary: Vocabulary, item: Encoded) -> int:
    first = 0 if item.n_context else 1
    characters = [item.text[start:end] for start, end in item.spans[first:]]
    return vocabulary.unknown(item.ids[item.n_context + first :], characters)


def _shown(vocabulary: Vocabulary, token_id: int, characters: str) -> str:
    """The characters that a token completes, or its bytes where it holds part of one."""
    if not characters or vocabulary.is_partial(token_id):
        return vocabulary.text(token_id)
    return characters


def _tokens(vocabulary: Vocabulary, item: Encoded, parts: list[Rows]) -> Tokens:
    """The tokens of a text; the first has no statistics where nothing stands before it."""
    ids = item.ids[item.n_context :]
    spans = item.spans[: len(ids)]
    unscored = np.full(0 if item.n_context else 1, np.nan)

    def column(name: str) -> Column:
        found = np.concatenate([unscored, *(part[name] for part in parts)])
        return np.clip(found.astype(np.float64), *LIMITS[name])

    return Tokens(
        texts=tuple(
            _shown(vocabulary, token, item.text[start:end])
            for token, (start, end) in zip(ids, spans, strict=True)
        ),
        starts=integers([start for start, _ in spans]),
        ends=integers([end for _, end in spans]),
        columns={
            "id": np.array(ids, dtype=np.float64),
            **{name: column(name) for name in LIMITS if all(name in part for part in parts)},
        },
        top=_alternatives(vocabulary, item, len(unscored), parts),
    )


def _alternatives(
    vocabulary: Vocabulary, item: Encoded, unscored: int, parts: list[Rows]
) -> Alternatives:
    """Those of all positions; what an id shows as depends on whether a word begins there."""
    if not parts or not parts[0]["top_ids"].size:
        return Alternatives.none(len(item.spans))
    ids = np.concatenate([part["top_ids"] for part in parts])
    count, k = ids.shape
    spelling, first = vocabulary.spelling, item.n_context + unscored
    begins = np.array([[spelling.begins(item.ids, first + i)] for i in range(count)])
    keys, places = np.unique(2 * ids + begins, return_inverse=True)
    words = ((key >> 1, bool(key & 1)) for key in keys.tolist())
    logprobs = np.concatenate([part["top_logprobs"] for part in parts]).astype(np.float64)
    return Alternatives(
        ends=integers([0] * unscored + [k * (i + 1) for i in range(count)]),
        words=tuple((token, spelling.shown(token, bare=bare)) for token, bare in words),
        places=integers(places.ravel()),
        logprobs=np.minimum(logprobs.ravel(), 0.0),
    )
