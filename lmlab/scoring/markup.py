"""A coloured strip as escaped HTML with its own style and no script."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from lmlab.palette import INK, INK_DARK, RAMP, RAMP_DARK, visible


class Span(NamedTuple):
    """A piece of text with its colour, None where it has none, and what is said of it."""

    text: str
    level: int | None
    title: str


def strip(
    model: str,
    figures: Sequence[str],
    legend: tuple[str, Sequence[str]],
    prefix: str,
    spans: Sequence[Span],
    notes: Sequence[str],
) -> str:
    """The whole strip.

    Args:
        model: display name.
        figures: HTML of our own.
        legend: what the colours tell, and one label each.
        prefix: text before the strip.
        spans: the strip.
        notes: sentences below it.
    """
    said, labels = legend
    cells = "".join(f'<i class="b{i}">{label}</i>' for i, label in enumerate(labels))
    head = "".join(f"<span>{figure}</span>" for figure in figures)
    before = f'<span class="pre">{_breaks(prefix)}</span>' if prefix else ""
    return (
        f'<div class="lmlab-strip"><style>{_style()}</style><div class="top">'
        f'<b>{escape(model)}</b>{head}<span class="legend">{said} {cells}</span></div>'
        f'<div class="toks" dir="auto">{before}{"".join(map(_span, spans))}</div>'
        f"{''.join(f'<p>{escape(note)}</p>' for note in notes)}</div>"
    )


def _span(span: Span) -> str:
    kind = "none" if span.level is None else f"b{span.level}"
    return f'<span class="{kind}" title="{escape(span.title)}">{_breaks(span.text)}</span>'


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
