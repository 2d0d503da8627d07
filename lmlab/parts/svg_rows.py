"""What a drawing in SVG shows, as rows that the page saves as CSV beside it."""

import json
from collections.abc import Sequence
from html import escape

Row = Sequence[str | float | None]


def data_rows(head: Sequence[str], rows: Sequence[Row]) -> str:
    """The attribute ``data-rows``: names of the columns, then a row a point."""
    told = json.dumps([list(head), *map(list, rows)], ensure_ascii=False)
    return f'data-rows="{escape(told)}"'
