"""Drawings in SVG: their words, and what they show as rows that the page saves as CSV."""

import json
from collections.abc import Sequence
from html import escape

Row = Sequence[str | float | None]


def data_rows(head: Sequence[str], rows: Sequence[Row]) -> str:
    """The attribute ``data-rows``: names of the columns, then a row a point."""
    told = json.dumps([list(head), *map(list, rows)], ensure_ascii=False)
    return f'data-rows="{escape(told)}"'


def word(x: float, y: float, text: str, kind: str = "tick", anchor: str = "middle") -> str:
    """A word of a drawing."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
