"""A scored text as a coloured strip: a JSON payload for the page, and HTML that stands alone.

Knows results only, by type; colours and class edges come from ``lmlab.parts.palette``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

from lmlab.parts.palette import ALL, INK, INK_DARK, MEASURES, RAMP, RAMP_DARK, bin_of, visible

if TYPE_CHECKING:
    from lmlab.results.scored import Scored, TokenScore

__all__ = [
    "INK",
    "RAMP",
    "bin_of",
    "columns",
    "dump",
    "notes",
    "payload",
    "same_tokens",
    "to_html",
    "tops",
    "tops_json",
    "whole",
]

LN2 = math.log(2)
# Numbers travel as whole multiples of 1/SCALE nats: short, and exact to four decimals.
SCALE = 10_000
# Above this many tokens the page asks for alternatives when it needs them.
TOP_ON_WIRE = 400
# Characters of the prefix that stand before the strip.
PREFIX_SHOWN = 400


def key() -> str:
    """What the page's script has to know to read a payload: the scale and the measures, as JSON."""
    measures = [asdict(measure) for measure in ALL]
    return dump({"scale": SCALE, "measures": measures})


def same_tokens(one: "Scored", two: "Scored") -> bool:
    """Whether two models cut the text alike, so that their tokens can be compared one by one."""
    return len(one.tokens) == len(two.tokens) and all(
        (a.text, a.start, a.end) == (b.text, b.start, b.end)
        for a, b in zip(one.tokens, two.tokens, strict=True)
    )


def payload(
    scored: "Scored", other: "Scored | None" = None, *, name: str = "", wire: int = TOP_ON_WIRE
) -> str:
    """The strip's data as JSON: columns of whole numbers, alternatives only for short texts.

    Args:
        scored: the text under the first model.
        other: the same text under a second model.
        name: tells this payload from others, so that alternatives sent later find theirs.
        wire: longest text, in tokens, whose alternatives are sent along.
    """
    runs = [scored] if other is None else [scored, other]
    value = {
        "name": name,
        "runs": [columns(run, wire) for run in runs],
        "same": other is not None and same_tokens(scored, other),
        "notes": notes(scored, other),
    }
    return dump(value)


def tops(tokens: Sequence["TokenScore"]) -> dict[str, Any]:
    """Alternatives as a list of words, and for each token [place of the actual one or −1, word,
    −ln p, word, −ln p, …]."""
    words: dict[str, int] = {}
    rows = []
    for token in tokens:
        row = [next((i for i, a in enumerate(token.top) if a.id == token.id), -1)]
        for a in token.top:
            row += [words.setdefault(a.text, len(words)), whole(-a.logprob)]
        rows.append(row)
    return {"words": list(words), "rows": rows}


def tops_json(name: str, run: int, low: int, tokens: Sequence["TokenScore"]) -> str:
    """Alternatives sent on demand: of which payload and run, from which token on."""
    return dump({"name": name, "run": run, "low": low, **tops(tokens)})


def notes(scored: "Scored", other: "Scored | None" = None) -> list[str]:
    """What a reader has to know about how the text was scored, in sentences."""
    found = []
    if not scored.n_tokens:
        found.append(
            "Nothing was scored: the only token has nothing before it. Add a prefix or more text."
        )
    elif scored.first_unscored:
        found.append(
            "The first token is hatched: this model has no start token, so nothing stands before "
            "it and it has no probability."
        )
    for run in (scored, *([] if other is None else [other])):
        found += [f"{run.model}: {note}" for note in run.notes]
        if run.unknown:
            found.append(unknown_note(run))
    if scored.moved:
        found.append(
            f"The end of the prefix, “{visible(scored.moved).replace(' ', '␣')}”, is scored with "
            "the text, because a token spans the border."
        )
    if scored.windowing:
        w = scored.windowing
        found.append(
            f"Longer than the model's context: scored in {w.count} {w.mode} windows, {w.stride} "
            "new tokens each; every token is scored once."
        )
    if other is not None and not same_tokens(scored, other):
        found.append(
            "The two models cut the text into different tokens: compare them by bits per byte, "
            "not by token or perplexity."
        )
    return found


def unknown_note(scored: "Scored") -> str:
    """What unknown tokens mean for the numbers."""
    n = scored.unknown
    tokens = "1 token stands" if n == 1 else f"{n:,} tokens stand"
    return (
        f"{tokens} for characters that the tokenizer of {scored.model} does not know. Their "
        "likelihood says nothing of what is written there: the text looks better predicted than it "
        "is, and bits per byte mean nothing."
    )


def columns(run: "Scored", wire: int = TOP_ON_WIRE) -> dict[str, Any]:
    """One run of a payload."""
    tokens = run.tokens
    found: dict[str, Any] = {
        "model": run.model,
        "context": list(run.context),
        "prefix": run.prefix[-PREFIX_SHOWN:],
        "cut": len(run.prefix) > PREFIX_SHOWN,
        "texts": [token.text for token in tokens],
        "nll": [None if t.logprob is None else whole(-t.logprob) for t in tokens],
        "rank": [token.rank for token in tokens],
        "entropy": [None if t.entropy is None else whole(t.entropy) for t in tokens],
        "bpb": run.bits_per_byte if math.isfinite(run.bits_per_byte) else None,
    }
    if len(tokens) <= wire:
        found["tops"] = tops(tokens)
    return found


def whole(nats: float) -> int:
    """A number of nats as it travels."""
    return round(min(max(nats, 0.0), 1e5) * SCALE)


def dump(value: Any) -> str:
    """A value as JSON that is safe to stand in a page."""
    # No "<" leaves here, so the string is inert even where somebody takes it for HTML.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def to_html(scored: "Scored") -> str:
    """The strip as escaped HTML with its own style and no script, for notebooks and export."""
    tokens = "".join(map(_span, scored.tokens))
    before = f'<span class="pre">{_breaks(scored.prefix)}</span>' if scored.prefix else ""
    remarks = "".join(f"<p>{escape(note)}</p>" for note in notes(scored))
    return (
        f'<div class="lmlab-strip"><style>{_style()}</style>'
        f'<div class="top"><b>{escape(scored.model)}</b>{_figures(scored)}{_legend()}</div>'
        f'<div class="toks" dir="auto">{before}{tokens}</div>{remarks}</div>'
    )


def _figures(scored: "Scored") -> str:
    if not scored.n_tokens:
        return ""
    return (
        f"<span>perplexity <b>{scored.perplexity:,.2f}</b></span>"
        f"<span>{scored.logprob:,.2f} nats</span>"
        f"<span>{'—' if scored.unknown else f'{scored.bits_per_byte:.3f}'} bits per byte</span>"
        f"<span>{scored.n_tokens:,} tokens</span>"
    )


def _legend() -> str:
    surprisal = next(measure for measure in MEASURES if measure.key == "surprisal")
    cells = "".join(f'<i class="b{i}">{label}</i>' for i, label in enumerate(surprisal.labels))
    return f'<span class="legend">surprisal, bits {cells}</span>'


def _span(token: "TokenScore") -> str:
    if token.logprob is None:
        return f'<span class="none" title="not scored">{_breaks(token.text)}</span>'
    bits = -token.logprob / LN2
    best = ", ".join(f"{visible(a.text)!r} {math.exp(a.logprob):.3g}" for a in token.top[:5])
    title = f"{bits:.2f} bits · p = {math.exp(token.logprob):.3g} · rank {token.rank}"
    title += f" · {best}" if best else ""
    level = bin_of(bits, "surprisal")
    return f'<span class="b{level}" title="{escape(title)}">{_breaks(token.text)}</span>'


def _breaks(text: str) -> str:
    return escape(visible(text)).replace("⏎", "⏎<br>")


def _style() -> str:
    def colours(ramp: Sequence[str], ink: Sequence[str], root: str) -> str:
        levels = enumerate(zip(ramp, ink, strict=True))
        return "".join(f"{root} .b{i}{{background:{b};color:{f}}}" for i, (b, f) in levels)

    root = ".lmlab-strip"
    dark = colours(RAMP_DARK, INK_DARK, root)
    dark += f"{root}{{background:{RAMP_DARK[0]};color:{INK_DARK[0]}}}"
    return (
        f"{root}{{background:#fff;color:{INK[0]};border:1px solid #8886;border-radius:10px;"
        "padding:12px 14px;font:15px/1.5 system-ui,sans-serif}"
        f"{root} .top{{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px}}"
        f"{root} .toks{{font:15px/2 ui-monospace,monospace;white-space:pre-wrap;"
        "overflow-wrap:anywhere;margin-top:8px}"
        f"{root} .toks span{{border-radius:4px;padding:3px 0;margin-right:1px}}"
        f"{root} .legend i{{font-style:normal;padding:1px 5px}}{root} .pre{{opacity:.65}}"
        f"{root} .none{{background:repeating-linear-gradient(45deg,#8885 0 3px,#0000 3px 7px)}}"
        f"{colours(RAMP, INK, root)}@media(prefers-color-scheme:dark){{{dark}}}"
    )
