"""Scoring: the log-probability of every token of a text under a model (the lecture's ℓ).

Batches by length, cuts long texts into windows, and never holds a table of length × vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmlab.errors import InputError, MemoryLimitError, ModelError
from lmlab.lm.model import LM
from lmlab.lm.tokens import BosSetting, Encoded, Vocabulary, encode, with_end
from lmlab.lm.windows import Window, default_stride, plan
from lmlab.maths.metrics import RowStats
from lmlab.results.scored import Alternative, Scored, Scoring, TokenScore, Windowing, WindowMode

# What a batch leaves in a processor's cache is read again; a graphics processor wants to be filled.
BATCH_TOKENS = {"cpu": 1024}
BATCH_TOKENS_ELSEWHERE = 16_384


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One text to score.

    Attributes:
        text: what is scored.
        prefix: what it is conditioned on (the lecture's x_{1:t}).
        end: whether the end token after the text is scored too.
        given: whether white space at the end of the prefix stays there, as ``encode`` has it.
    """

    text: str
    prefix: str = ""
    end: bool = False
    given: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One window of one request."""

    request: int
    ids: tuple[int, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class Rows:
    """Statistics of consecutive positions, as plain numbers."""

    logprob: list[float]
    rank: list[int]
    entropy: list[float]
    top_ids: list[list[int]]
    top_logprobs: list[list[float]]


def score(
    lm: LM,
    text: str,
    *,
    prefix: str = "",
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
    end: bool = False,
) -> Scored:
    """Score every token of ``text`` given ``prefix``: ln p(x_i | x_{<i}), rank, entropy, top-k.

    Args:
        lm: the model.
        text: what is scored, x_{t+1:t+L}.
        prefix: what it is conditioned on, x_{1:t}; may be empty.
        top_k: how many alternatives to keep for each token.
        bos: what stands before the first token: ``tokenizer``, which is its own default,
            ``always`` or ``never`` BOS, or a token by name.
        windows: how a text longer than the model's context is cut.
        stride: of sliding windows, in tokens; half the context by default.
        end: whether the end token after the text is scored too.

    Raises:
        InputError: the text is empty or not valid Unicode, the model does not know one of its
            tokens, or the stride is out of range.
        ModelError: the model gives not-a-number.
    """
    requests = [ScoreRequest(text, prefix, end)]
    return score_many(lm, requests, top_k=top_k, bos=bos, windows=windows, stride=stride)[0]


def score_many(
    lm: LM,
    requests: Sequence[ScoreRequest | str],
    *,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
) -> list[Scored]:
    """Score many texts, batched by length; each result is the same as of ``score`` alone."""
    steps = iter_scores(lm, requests, top_k=top_k, bos=bos, windows=windows, stride=stride)
    return [step for step in steps if isinstance(step, Scored)]


def iter_scores(
    lm: LM,
    requests: Sequence[ScoreRequest | str],
    *,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
    max_tokens: int | None = None,
) -> Iterator[Scoring | Scored]:
    """Like ``score_many``, as a stream: progress after each batch, then the results in order."""
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
    limit = BATCH_TOKENS.get(lm.device.type, BATCH_TOKENS_ELSEWHERE)
    for batch in _batches(jobs, limit):
        rows |= _score_batch(lm, batch, top_k)
        done += sum(job.window.length for job in batch)
        yield Scoring(done, total)
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


def _batches(jobs: list[Job], limit: int) -> Iterator[list[Job]]:
    """Of at most ``limit`` tokens, or one window; longest first, so that padding is small and
    memory is at its peak at once."""
    batch: list[Job] = []
    for job in sorted(jobs, key=lambda job: -job.window.length):
        if batch and (len(batch) + 1) * batch[0].window.length > limit:
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _score_batch(lm: LM, batch: list[Job], top_k: int) -> dict[tuple[int, int], Rows]:
    """Run one batch; the rows of each window, by request and first position."""
    rows, targets = predictions(lm, batch)
    stats = statistics(lm, rows, targets, top_k)
    counts = [job.window.high - job.window.low for job in batch]
    pieces = zip(batch, split(stats, counts), strict=True)
    return {(job.request, job.window.low): rows for job, rows in pieces}


@torch.inference_mode()
def predictions(lm: LM, batch: list[Job]) -> tuple[Tensor, Tensor]:
    """The rows [N, H] that predict a batch's scored positions, and those positions' ids [N]."""
    read = [job.ids[job.window.start : job.window.high - 1] for job in batch]
    try:
        return _scored_rows(lm.rows(read), batch)
    except torch.OutOfMemoryError as error:
        raise _no_memory() from error


@torch.inference_mode()
def statistics(lm: LM, rows: Tensor, targets: Tensor, top_k: int) -> RowStats:
    """What is kept of the distributions that rows predict.

    Raises:
        ModelError: they are not-a-number.
    """
    try:
        stats = lm.head.stats(rows, targets, top_k)
    except torch.OutOfMemoryError as error:
        raise _no_memory() from error
    if stats.logprob.isnan().any():
        raise ModelError(
            f"‘{lm.name}’ gives not-a-number for this text.", "Its weights may be damaged."
        )
    return stats


def _no_memory() -> MemoryLimitError:
    return MemoryLimitError("There is not enough memory for this text.", "Shorten it.")


def _scored_rows(hidden: Tensor, batch: list[Job]) -> tuple[Tensor, Tensor]:
    rows = [
        hidden[i, job.window.low - 1 - job.window.start : job.window.length]
        for i, job in enumerate(batch)
    ]
    targets = [token for job in batch for token in job.ids[job.window.low : job.window.high]]
    return torch.cat(rows), torch.tensor(targets, device=hidden.device)


def split(stats: RowStats, counts: list[int]) -> Iterator[Rows]:
    """Statistics of several windows apart, as plain numbers."""
    names = ("logprob", "rank", "entropy", "top_ids", "top_logprobs")
    columns = [getattr(stats, name).cpu().split(counts) for name in names]
    for parts in zip(*columns, strict=True):
        yield Rows(*(part.tolist() for part in parts))


def windowing(count: int, mode: WindowMode, stride: int | None, context: int) -> Windowing | None:
    """How a text was cut; None when it was not."""
    if count == 1:
        return None
    step = context if mode == "disjoint" else stride or default_stride(context)
    return Windowing(mode, step, count)


def assemble(lm: LM, item: Encoded, parts: list[Rows], windowing: Windowing | None) -> Scored:
    """The result of one text from the rows of its windows."""
    vocabulary = lm.vocabulary
    ids = item.ids[item.n_context :]
    tokens = [] if item.n_context else [_unscored(vocabulary, item)]
    positions = range(len(tokens), len(ids))
    flat = ((part, j) for part in parts for j in range(len(part.logprob)))
    for i, (part, j) in zip(positions, flat, strict=True):
        start, end = item.spans[i]
        tokens.append(
            TokenScore(
                id=ids[i],
                text=_shown(vocabulary, ids[i], item.text[start:end]),
                start=start,
                end=end,
                # Rounding can lift a certain token's log-probability a hair above 0.
                logprob=min(part.logprob[j], 0.0),
                rank=part.rank[j],
                entropy=max(part.entropy[j], 0.0),
                top=_alternatives(vocabulary.reader(item.ids, item.n_context + i), part, j),
            )
        )
    return Scored(
        model=lm.name,
        text=item.text,
        prefix=item.prefix,
        tokens=tuple(tokens),
        moved=item.moved,
        context=tuple(vocabulary.text(i) for i in item.lead),
        windowing=windowing,
        limit=lm.context,
        unknown=_unknown(vocabulary, item),
        notes=(*vocabulary.notes, *lm.ways.reading()),
    )


def _unknown(vocabulary: Vocabulary, item: Encoded) -> int:
    first = 0 if item.n_context else 1
    characters = [item.text[start:end] for start, end in item.spans[first:]]
    return vocabulary.unknown(item.ids[item.n_context + first :], characters)


def _unscored(vocabulary: Vocabulary, item: Encoded) -> TokenScore:
    start, end = item.spans[0]
    shown = _shown(vocabulary, item.ids[0], item.text[start:end])
    return TokenScore(item.ids[0], shown, start, end, None, None, None)


def _shown(vocabulary: Vocabulary, token_id: int, characters: str) -> str:
    """The characters that a token completes, or its bytes where it holds part of one."""
    if not characters or vocabulary.is_partial(token_id):
        return vocabulary.text(token_id)
    return characters


def _alternatives(text: Callable[[int], str], part: Rows, j: int) -> tuple[Alternative, ...]:
    pairs = zip(part.top_ids[j], part.top_logprobs[j], strict=True)
    return tuple(Alternative(i, text(i), min(lp, 0.0)) for i, lp in pairs)
