"""The rows of a large table as one piece of bytes, column by column: quickly kept and handed on."""

import pickle
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from lmlab.text.records import KINDS, Place, Record, Row, place_of

TYPES: tuple[type[str], ...] = (str, *KINDS.values())


class Packed(Sequence[Row]):
    """Rows that are made, all at once, when somebody looks at one."""

    def __init__(self, data: bytes, count: int) -> None:
        self._data = data
        self._count = count

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (self._data, self._count)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, key: Any) -> Any:
        return self._rows[key]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @cached_property
    def _rows(self) -> tuple[Row, ...]:
        names, places, columns = pickle.loads(self._data)
        return tuple(
            Record({n: c for n, c in zip(names, row, strict=True) if c is not None}, Place(*place))
            for place, *row in zip(places, *(_typed(*column) for column in columns), strict=True)
        )


def packed(rows: Sequence[Row]) -> Packed:
    """Rows that know their places."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    places = [tuple(place_of(row) or ()) for row in rows]
    columns = [_plain([row.get(name) for row in rows]) for name in names]
    return Packed(pickle.dumps((names, places, columns), protocol=5), len(rows))


def _plain(cells: list[str | None]) -> tuple[list[str | None], bytes]:
    """Cells without their kinds, which are slow to pickle, and their kinds' numbers."""
    kinds = bytes(0 if cell is None else TYPES.index(type(cell)) for cell in cells)
    if not any(kinds):
        return cells, b""
    return [None if cell is None else str(cell) for cell in cells], kinds


def _typed(cells: list[str | None], kinds: bytes) -> Sequence[str | None]:
    if not kinds:
        return cells
    return [cell if not k else TYPES[k](cell) for cell, k in zip(cells, kinds, strict=True)]
