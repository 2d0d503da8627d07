"""Blocks rendered for many rows at once: what is the same for several rows is rendered once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmlab.rendering import Job, Renderer, RenderError
from lmlab.text.blocks import names_of
from lmlab.text.records import Row, marked, place_of, placed


class Batch:
    """Jobs of many rows."""

    def __init__(self, blocks: Mapping[str, str]) -> None:
        self._blocks = blocks
        self._names = {name: names_of(block) for name, block in blocks.items()}
        self._jobs: list[Job] = []
        self._first: list[Row | None] = []  # the row that each job was made for first
        self._known: dict[tuple[Any, ...], int] = {}
        self._places: list[list[int]] = []

    def add(self, row: Row | None, jobs: Iterable[Job]) -> None:
        """The jobs of one row."""
        self._places.append([self._place(row, block, values) for block, values in jobs])

    def rendered(self, renderer: Renderer) -> list[Sequence[str]]:
        """The texts of each row's jobs, in order.

        Raises:
            RenderError: a block cannot be rendered; names the row where it knows its place.
        """
        try:
            texts = renderer.render(self._blocks, self._jobs)
        except RenderError as error:
            error.row = row = self._first[error.job] if error.job >= 0 else None
            if row is not None and place_of(row) is not None:
                error.message = placed(row, 0, error.message)
            raise
        return [[texts[place] for place in places] for places in self._places]

    def _place(self, row: Row | None, block: str, values: Mapping[str, Any]) -> int:
        names = self._names[block]
        asked = values if names is None else {n: values[n] for n in values if n in names}
        key = (block, *((name, _frozen(value)) for name, value in asked.items()))
        if key not in self._known:
            self._known[key] = len(self._jobs)
            self._jobs.append((block, {name: marked(value) for name, value in asked.items()}))
            self._first.append(row)
        return self._known[key]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (type(value), value)
