"""Two models on one text: where they differ, and by how much.

Log-probabilities of the tokens under both, and the divergence of whole distributions at each
position, from blocks of rows: a table of length × vocabulary is never held.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lmlab.lm.model import LM
from lmlab.lm.tokens import BosSetting, encode
from lmlab.lm.windows import plan
from lmlab.maths.metrics import divergences
from lmlab.results.compared import LN2, Compared
from lmlab.results.scored import Scored, Scoring, WindowMode
from lmlab.scoring.score import (
    Job,
    Rows,
    ScoreRequest,
    assemble,
    check_length,
    iter_scores,
    predictions,
    split,
    statistics,
    windowing,
)

# Numbers in each of the four tables that a block of rows needs.
TABLE = 4_000_000


def compare(
    first: LM,
    second: LM,
    text: str,
    *,
    prefix: str = "",
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
) -> Compared:
    """Score ``text`` given ``prefix`` under two models and compare them at each position.

    Args:
        first: for instance the base.
        second: for instance a tuned model. Both from one ``ModelStore.borrow_all``.
        text: what is scored.
        prefix: what it is conditioned on.
        top_k: how many alternatives to keep for each token.
        bos: what stands before the first token.
        windows: how a text longer than the shorter context is cut.

    Raises:
        InputError: the text is empty or not valid Unicode.
        ModelError: a model gives not-a-number.
    """
    steps = iter_compare(first, second, text, prefix=prefix, top_k=top_k, bos=bos, windows=windows)
    return next(step for step in steps if isinstance(step, Compared))


def iter_compare(
    first: LM,
    second: LM,
    text: str,
    *,
    prefix: str = "",
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    max_tokens: int | None = None,
) -> Iterator[Scoring | Compared]:
    """Like ``compare``, as a stream: progress, then the result."""
    if not same_vocabulary(first, second):
        yield from _apart(
            first, second, ScoreRequest(text, prefix), top_k, bos, windows, max_tokens
        )
        return
    item = encode(first.vocabulary, text, prefix, bos)
    check_length(item, max_tokens)
    context = min(first.context, second.context)
    cut = plan(max(1, item.n_context), len(item.ids), context, windows, None)
    parts: tuple[list[Rows], list[Rows]] = ([], [])
    kl: tuple[list[float], list[float]] = ([], [])
    total, done = sum(w.high - w.low for w in cut), 0
    for window in cut:
        if window.length:
            rows, ways = _window([first, second], Job(0, item.ids, window), top_k)
            for which in (0, 1):
                parts[which].extend(rows[which])
                kl[which].extend(ways[which])
        done += window.high - window.low
        yield Scoring(done, total)
    shape = windowing(len(cut), windows, None, context)
    scored = [assemble(lm, item, p, shape) for lm, p in zip((first, second), parts, strict=True)]
    unscored: list[float | None] = [None] * scored[0].first_unscored
    yield Compared(scored[0], scored[1], (*unscored, *kl[0]), (*unscored, *kl[1]))


def same_vocabulary(first: LM, second: LM) -> bool:
    """Whether an id means the same token to both."""
    if first.model is second.model:
        return True
    widths = {lm.model.get_output_embeddings().weight.shape[0] for lm in (first, second)}
    pipelines = {lm.tokenizer.backend_tokenizer.to_str() for lm in (first, second)}
    return len(widths) == len(pipelines) == 1


def _window(
    lms: Sequence[LM], job: Job, top_k: int
) -> tuple[list[list[Rows]], tuple[list[float], list[float]]]:
    """Rows of one window under each model, and the divergences both ways in bits."""
    hidden, rows = [], []
    for lm in lms:
        states, targets = predictions(lm, [job])
        hidden.append(states)
        rows.append(list(split(statistics(lm, states, targets, top_k), [len(targets)])))
    return rows, _divergences(lms, hidden)


@torch.inference_mode()
def _divergences(lms: Sequence[LM], hidden: Sequence[Tensor]) -> tuple[list[float], list[float]]:
    forward: list[float] = []
    backward: list[float] = []
    width = lms[0].model.get_output_embeddings().weight.shape[0]
    size = max(1, TABLE // int(width))
    for blocks in zip(*(torch.split(states, size) for states in hidden), strict=True):
        logits = []
        for lm, block in zip(lms, blocks, strict=True):
            lm.switch_on()
            logits.append(lm.head.logits(block))
        one, other = divergences(*(table.to(logits[0].device) for table in logits))
        forward += (one / LN2).tolist()
        backward += (other / LN2).tolist()
    return forward, backward


def _apart(
    first: LM,
    second: LM,
    request: ScoreRequest,
    top_k: int,
    bos: BosSetting,
    windows: WindowMode,
    max_tokens: int | None,
) -> Iterator[Scoring | Compared]:
    """Two scorings of models whose tokens differ."""
    scored: list[Scored] = []
    for lm in (first, second):
        for step in iter_scores(
            lm, [request], top_k=top_k, bos=bos, windows=windows, max_tokens=max_tokens
        ):
            if isinstance(step, Scored):
                scored.append(step)
            else:
                yield step
    yield Compared(scored[0], scored[1])
