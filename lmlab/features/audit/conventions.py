"""Every convention as data: what the model reads, what of it is counted, divided by what.

The places of libraries are those of their newest documents or source when this was written; the
tests ask the libraries themselves where they are installed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.features.audit.results import Form
from lmlab.models.model import LM
from lmlab.models.tokens import encode
from lmlab.models.windows import Window, default_stride, plan

MOST_TEXTS = 200
DOCUMENT = ("transformers", "docs: “Perplexity of fixed-length models”")
HARNESS = ("lm-eval", "HFLM.loglikelihood_rolling; utils.get_rolling_token_windows")
UNITS = ("lm-eval", "api/task.py, PerplexityTask.process_results; metric_list of tasks/wikitext")
EVALUATE = ("evaluate", "metrics/perplexity: mean_perplexity")
MINICONS = ("minicons", "IncrementalLMScorer.sequence_score")
GPTQ = ("GPTQ and the papers after it", "opt.py, opt_eval")
LLAMA_CPP = ("llama.cpp", "tools/perplexity/perplexity.cpp")


@dataclass(frozen=True)
class Source:
    """A sequence of ids that the model reads."""

    text: str
    ids: tuple[int, ...]
    lead: int  # how many of them come before the text's first token
    spans: tuple[tuple[int, int], ...]  # characters of the text's tokens
    begin: int = 0  # where the text begins in the whole text
    every: int = 0  # a start token stands in the place of the first of so many ids


@dataclass(frozen=True)
class Reading:
    """A source and the windows that score it, each with the weight of its tokens."""

    source: str  # name among the sources
    windows: tuple[Window, ...]
    weights: tuple[float, ...] = ()  # 1 where there is none


@dataclass(frozen=True)
class Convention:
    """A row before its number: the readings whose nats are added."""

    key: str
    group: str
    name: str
    how: str
    readings: tuple[Reading, ...]
    form: Form = "perplexity"
    unit: str = "a token"
    count: float | None = None  # what the sum is divided by; None for what is counted
    counted: str = "tokens"
    who: tuple[tuple[str, str], ...] = ()
    by_word: bool = False  # whether its tokens are others than the definition's
    missing: str = ""


@dataclass(frozen=True)
class Conventions:
    """Sources by name, and all rows over them."""

    sources: dict[str, Source]
    rows: tuple[Convention, ...]


def conventions(lm: LM, text: str) -> Conventions:
    """All conventions for a text under a model and its context.

    Raises:
        InputError: the text is empty or too short to count anything in some way at all.
    """
    vocabulary, limit = lm.vocabulary, lm.context
    item = encode(vocabulary, text)
    bare, own, start = item.ids[len(item.lead) :], vocabulary.leading, vocabulary.start_id
    if len(bare) < 2:
        raise InputError("One token is too little to audit.", "Give a sentence or more.")
    first = () if start is None else (start,)

    def led(lead: Sequence[int]) -> Source:
        return Source(text, (*lead, *bare), len(lead), item.spans)

    sources = {
        "lead": led(item.lead),
        "own": led(own),
        "none": led(()),
        "twice": led((*first, *own)),
    }
    sources["chunks"] = _restarted(sources["own"], limit, start if own else None)
    sources["spaces"] = _source(lm, " ".join(text.split()))
    texts = _texts(text)
    for i, (begin, part) in enumerate(texts):
        sources[f"text {i}"] = _source(lm, part, begin)
    rows = (
        *_starts(sources, limit), *_windows(sources, limit), *_contexts(sources, limit),
        *_units(sources, limit, text), *_texts_rows(sources, limit, len(texts)),
    )  # fmt: skip
    return Conventions(sources, rows)


def _source(lm: LM, text: str, begin: int = 0) -> Source:
    item = encode(lm.vocabulary, text)
    return Source(text, item.ids, len(item.lead), item.spans, begin)


def _restarted(source: Source, every: int, start: int | None) -> Source:
    """The same with a start token in the place of the first token of each chunk."""
    if start is None:
        return source
    ids = tuple(start if i % every == 0 else token for i, token in enumerate(source.ids))
    return Source(source.text, ids, source.lead, source.spans, every=every)


def _texts(text: str) -> list[tuple[int, str]]:
    """Paragraphs with where they begin; lines where there is one paragraph alone."""
    for gap in (r"\n\s*\n", r"\n"):
        found, at = list[tuple[int, str]](), 0
        for part in re.split(f"({gap})", text):
            if part.strip():
                found.append((at, part))
            at += len(part)
        if len(found) > 1:
            break
    return found[:MOST_TEXTS]


def _sliding(source: Source, limit: int, name: str) -> Reading:
    windows = plan(max(1, source.lead), len(source.ids), limit, "sliding", None)
    return Reading(name, tuple(one for one in windows if one.length))


def _starts(sources: dict[str, Source], limit: int) -> list[Convention]:
    reads = {
        name: _sliding(sources[name], limit, name) for name in ("lead", "own", "none", "spaces")
    }
    return [
        Convention(
            "definition", "", "the lecture’s definition",
            "exp(−1/L · Σ ln p(xᵢ | x<ᵢ)): a start token stands before the text, every token is "
            "counted once, a long text is read in windows of which half is new.",
            (reads["lead"],),
        ),
        Convention(
            "own", "start and first token", "what the tokenizer puts before by itself",
            "Where it puts nothing, the first token has nothing before it and is not counted.",
            (reads["own"],), who=(MINICONS, ("transformers", "a causal model’s own loss")),
        ),
        Convention(
            "never", "start and first token", "no start token, first token not counted",
            "The text begins with its own first token.", (reads["none"],),
            who=(("evaluate", "metrics/perplexity, add_start_token=False, of one text"),),
        ),
        Convention(
            "zero", "start and first token", "the first token counted as certain",
            "Surprisal 0 is written down for what nothing stands before, and averaged over.",
            (reads["own"],), count=len(sources["own"].ids),
            who=(("minicons", "token_score, whose list begins with 0.0"),),
        ),
        Convention(
            "spaces", "text", "white space normalised",
            "Every run of white space becomes one space before the text is read.",
            (reads["spaces"],), by_word=True,
            who=(("papers on tokenised corpora", "lm-eval’s tasks/wikitext undoes it by rules"),),
        ),
    ]  # fmt: skip


def _windows(sources: dict[str, Source], limit: int) -> list[Convention]:
    group, own, twice = "windows", sources["own"], sources["twice"]
    n = len(own.ids)
    chunks = range(0, n - limit + 1, limit)
    alone = [Window(at, at + 1, at + limit) for at in chunks]
    halves = [Window(at, at + limit // 2 + 1, at + limit) for at in chunks]
    strided, weights, count = _document(n, limit)
    return [
        Convention(
            "document", group, "sliding, half of the context new",
            "Each window’s mean counts as often as it has new tokens, less one; a first token is "
            "no target.",
            (Reading("own", strided, weights),), count=count, who=(DOCUMENT,),
        ),
        Convention(
            "rolling", group, "disjoint, one token of context kept",
            "A start token is put before what the tokenizer gives, so one that the tokenizer puts "
            "there by itself is counted as well.",
            (Reading("twice", _rolling(len(twice.ids), limit)),), who=(HARNESS,),
        ),
        Convention(
            "chunks", group, "disjoint, nothing kept, the rest dropped",
            "Each whole context stands alone; its first token is not counted.",
            (Reading("own", tuple(alone)),), who=(GPTQ,),
            missing="" if alone and limit > 1 else f"It needs {limit:,} tokens at least.",
        ),
        Convention(
            "halves", group, "the second half of each context",
            "Disjoint contexts, each begun by a start token if the tokenizer puts one; the first "
            "half is context alone.",
            (Reading("chunks", tuple(halves)),), who=(LLAMA_CPP,),
            missing="" if n >= 2 * limit > 4 else f"It needs {2 * limit:,} tokens at least.",
        ),
    ]  # fmt: skip


def _document(n: int, limit: int) -> tuple[tuple[Window, ...], tuple[float, ...], float]:
    """The windows of transformers' document, their weights and what is divided by."""
    windows, weights, count, before = list[Window](), list[float](), 0.0, 0
    for begin in range(0, n, default_stride(limit)):
        end = min(begin + limit, n)
        low = max(before, begin + 1)
        windows.append(Window(begin, low, end))
        weights.append((end - before - 1) / (end - low))
        count += end - before - 1
        before = end
        if end == n:
            break
    return tuple(windows), tuple(weights), count


def _rolling(n: int, limit: int) -> tuple[Window, ...]:
    """lm-eval's windows of ids of which the first is put before: the last one reaches back."""
    windows, low = [Window(0, 1, min(n, limit + 1))], min(n, limit + 1)
    while low < n:
        high = min(n, low + limit)
        windows.append(Window(high - 1 - limit, low, high))
        low = high
    return tuple(windows)


def _contexts(sources: dict[str, Source], limit: int) -> list[Convention]:
    """A shorter context, where the text is longer than it."""
    lengths = sorted({one for one in (limit // 4, 512, 2048) if 2 <= one < limit})
    n = len(sources["lead"].ids) - 1
    return [
        Convention(
            f"context-{length}", "context", f"at most {length:,} tokens read at once",
            "Papers of other years read less: each token has less before it.",
            (_sliding(sources["lead"], length, "lead"),),
            missing="" if n > length else f"The text fits into {length:,} tokens: nothing changes.",
        )
        for length in lengths
    ]  # fmt: skip


def _units(sources: dict[str, Source], limit: int, text: str) -> list[Convention]:
    lead, twice = _sliding(sources["lead"], limit, "lead"), sources["twice"]
    rolling = Reading("twice", _rolling(len(twice.ids), limit))
    n_bytes, words = len(text.encode()), len(re.split(r"\s+", text))
    return [
        Convention(
            "bits", "unit", "cross-entropy by two", "The same sum by log₂: 2 to this is the same "
            "perplexity, e to it is not.", (lead,), "bits", "bits a token",
            who=(("minicons", "base_two=True"),),
        ),
        Convention(
            "word", "unit", "a word", "The same nats divided by what stands between white space, "
            "so by fewer.", (rolling,), "perplexity", "a word", words, "words", (UNITS,),
        ),
        Convention(
            "byte", "unit", "a byte", "Divided by UTF-8 bytes.", (rolling,), "perplexity", "a byte",
            n_bytes, "bytes", (UNITS,),
        ),
        Convention(
            "bits-byte", "unit", "bits a byte", "The same by log₂: comparable whatever the tokens.",
            (rolling,), "bits", "bits a byte", n_bytes, "bytes", (UNITS,),
        ),
        Convention(
            "bits-character", "unit", "bits a character", "Divided by Unicode characters; papers "
            "on enwik8 say characters for what are bytes.", (lead,), "bits", "bits a character",
            len(text), "characters",
        ),
    ]  # fmt: skip


def _texts_rows(sources: dict[str, Source], limit: int, count: int) -> list[Convention]:
    """The text as several, each beginning anew."""
    names = [f"text {i}" for i in range(count)]
    reads = tuple(_sliding(sources[name], limit, name) for name in names)
    alone = "There is one paragraph alone." if count < 2 else ""
    group = f"{count} texts"
    return [
        Convention(
            "pooled", group, "exp of the mean over all their tokens", "Each paragraph, or line, "
            "begins anew; the nats of all of them over the tokens of all of them.", reads,
            who=(("lm-eval", "api/metrics.py, weighted_perplexity"),), by_word=True, missing=alone,
        ),
        Convention(
            "mean", group, "mean of their perplexities", "A short text weighs as much as a long "
            "one, and one bad text can rule.", reads, "mean", who=(EVALUATE,), by_word=True,
            missing=alone,
        ),
    ]  # fmt: skip
