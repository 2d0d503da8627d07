"""Two models on one text: where they differ, and by how much.

Log-probabilities of the tokens under both, and the divergence of whole distributions at each
position, from blocks of rows: a table of length × vocabulary is never held.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lmlab.maths.metrics import divergences
from lmlab.models.chat import question
from lmlab.models.model import LM
from lmlab.models.tokens import BosSetting, Encoded, encode
from lmlab.models.windows import WindowMode, plan
from lmlab.progress import Progress
from lmlab.scoring.compared import LN2, Compared
from lmlab.scoring.score import (
    How,
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
from lmlab.scoring.scored import Scored

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
    chat: bool = False,
) -> Compared:
    """Score ``text`` given ``prefix`` under two models and compare them at each position.

    Arguments and errors as of ``iter_compare``.
    """
    steps = iter_compare(
        first, second, text, prefix=prefix, top_k=top_k, bos=bos, windows=windows, chat=chat
    )
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
    chat: bool = False,
    given: bool = False,
) -> Iterator[Progress | Compared]:
    """Compare two models on a text as a stream: progress, then the result.

    Args:
        first: for instance the base.
        second: for instance a tuned model. Both from one ``ModelStore.borrow_all``.
        text: what is scored.
        prefix: what it is conditioned on.
        top_k, bos, windows, max_tokens: as of ``iter_scores``; windows of the shorter context.
        chat: whether the prefix is a question, which each model gets in its own chat form.
        given: as of ``encode``.

    Raises:
        InputError: the text is empty, too long or not valid Unicode.
        ModelError: a model gives not-a-number.
    """
    lms, given = (first, second), given or chat
    prefixes = [question(lm.vocabulary, prefix) if chat else prefix for lm in lms]
    item, other = (
        encode(lm.vocabulary, text, asked, bos, given=given)
        for lm, asked in zip(lms, prefixes, strict=True)
    )
    size, notes = _shared(first, second, item, other)
    if not size:
        scored = []
        for lm, asked in zip(lms, prefixes, strict=True):
            request = ScoreRequest(text, asked, given=given)
            how: How = {"top_k": top_k, "bos": bos, "windows": windows}
            for step in iter_scores(lm, [request], max_tokens=max_tokens, **how):
                if isinstance(step, Scored):
                    scored.append(step)
                else:
                    yield step
        yield Compared(scored[0], scored[1])
        return
    check_length(item, max_tokens)
    yield from _together(lms, item, top_k, windows, size, notes)


def _together(
    lms: Sequence[LM],
    item: Encoded,
    top_k: int,
    windows: WindowMode,
    size: int,
    notes: tuple[str, ...],
) -> Iterator[Progress | Compared]:
    """Two models of the same tokens, of which the first ``size`` are compared."""
    context = min(lm.context for lm in lms)
    cut = plan(max(1, item.n_context), len(item.ids), context, windows, None)
    parts: tuple[list[Rows], list[Rows]] = ([], [])
    kl: tuple[list[float], list[float]] = ([], [])
    total, done = sum(w.high - w.low for w in cut), 0
    for window in cut:
        if window.length:
            rows, ways = _window(lms, Job(0, item.ids, window), top_k, size)
            for which in (0, 1):
                parts[which].extend(rows[which])
                kl[which].extend(ways[which])
        done += window.high - window.low
        yield Progress(done, total)
    shape = windowing(len(cut), windows, None, context)
    one, two = (assemble(lm, item, p, shape) for lm, p in zip(lms, parts, strict=True))
    unscored: list[float | None] = [None] * one.first_unscored
    yield Compared(one, two, (*unscored, *kl[0]), (*unscored, *kl[1]), notes)


def same_vocabulary(first: LM, second: LM) -> bool:
    """Whether an id means the same token to both; either may have more tokens than the other."""
    if first.vocabulary is second.vocabulary:
        return True
    one, two = first.vocabulary.names, second.vocabulary.names
    shared = min(len(one), len(two))
    return one[:shared] == two[:shared]


def _shared(first: LM, second: LM, item: Encoded, other: Encoded) -> tuple[int, tuple[str, ...]]:
    """How many ids both models have, 0 where the text cannot be compared by token; and what is to
    be said of that. Both read the start of the text as the first one's tokenizer has it.
    """
    widths = [lm.width for lm in (first, second)]
    if first.vocabulary is second.vocabulary:
        return min(widths), ()
    same = item.ids[len(item.lead) :] == other.ids[len(other.lead) :]
    if not same or not same_vocabulary(first, second):
        return 0, ()
    counts = [len(lm.vocabulary.names) for lm in (first, second)]
    # Rows beyond the tokens are there in many models; they count where both have the same ones.
    size = min(widths) if counts[0] == counts[1] else min(*widths, *counts)
    notes = []
    if size < max(widths):
        notes.append(
            f"KL divergence is over the {size:,} tokens that both models have; they have "
            f"{widths[0]:,} and {widths[1]:,} rows."
        )
    if item.lead != other.lead:
        starts = (
            " ".join(map(lm.vocabulary.text, one.lead)) or "nothing"
            for lm, one in ((first, item), (second, other))
        )
        notes.append(
            "The two tokenizers begin a text differently ({} and {}): both models read it as the "
            "first begins it.".format(*starts)
        )
    return size, tuple(notes)


def _window(
    lms: Sequence[LM], job: Job, top_k: int, size: int
) -> tuple[list[list[Rows]], tuple[list[float], list[float]]]:
    """Rows of one window under each model, and the divergences both ways in bits, over the first
    ``size`` tokens."""
    hidden, rows = [], []
    for lm in lms:
        states, targets = predictions(lm, [job])
        hidden.append(states)
        rows.append(list(split(statistics(lm, states, targets, top_k), [len(targets)])))
    return rows, _divergences(lms, hidden, size)


@torch.inference_mode()
def _divergences(
    lms: Sequence[LM], hidden: Sequence[Tensor], size: int
) -> tuple[list[float], list[float]]:
    forward: list[float] = []
    backward: list[float] = []
    block_rows = max(1, TABLE // size)
    for blocks in zip(*(torch.split(states, block_rows) for states in hidden), strict=True):
        logits = []
        for lm, block in zip(lms, blocks, strict=True):
            lm.switch_on()
            logits.append(lm.head.logits(block)[:, :size])
        one, other = divergences(*(table.to(logits[0].device) for table in logits))
        forward += (one / LN2).tolist()
        backward += (other / LN2).tolist()
    return forward, backward
