"""Blocks of Jinja: which fields they insert, found without running them; and many rows rendered at
once, what is the same for several rows once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lmlab.rendering import Job, Renderer, RenderError
from lmlab.text.records import Row, marked, place_of, placed

# Names that Jinja itself gives to every block.
BUILT_IN = frozenset(DEFAULT_NAMESPACE) | {"loop", "self", "caller", "varargs", "kwargs"}


class Batch:
    """Jobs of many rows, over blocks by name."""

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


def fields_of(block: str) -> tuple[str, ...]:
    """The names that a block inserts, in the order of their first use; none where it is not valid.

    >>> fields_of("{{ text }} -> {{ label }}")
    ('text', 'label')
    """
    tree = _tree(block)
    used = [(one.name, one.ctx) for one in tree.find_all(nodes.Name)] if tree else []
    own = {name for name, context in used if context != "load"}
    return tuple(dict.fromkeys(name for name, _ in used if name not in own | BUILT_IN))


def names_of(block: str) -> frozenset[str] | None:
    """Every name that stands in a block, its own included; None where it is not valid."""
    tree = _tree(block)
    return None if tree is None else frozenset(node.name for node in tree.find_all(nodes.Name))


def asked_for(block: str) -> frozenset[str]:
    """The names that a block asks whether there is something in them, and so may be empty.

    >>> sorted(asked_for("{% if input %}{{ input }}{% endif %}{{ a or 'none' }}{{ text }}"))
    ['a', 'input']
    """
    tree = _tree(block)
    found: list[nodes.Node] = []
    for node in tree.find_all((nodes.If, nodes.CondExpr, nodes.Or, nodes.Filter)) if tree else ():
        if isinstance(node, nodes.If | nodes.CondExpr):
            found.append(node.test)
        elif isinstance(node, nodes.Or):
            found.append(node.left)
        elif isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node:
            found.append(node.node)
    return frozenset(name for test in found for name in _bare(test))


def _bare(test: nodes.Node | None) -> Iterator[str]:
    """Names that a test asks for nothing but whether they are there."""
    if isinstance(test, nodes.Name):
        yield test.name
    elif isinstance(test, nodes.Not | nodes.Filter | nodes.Test):
        yield from _bare(test.node)
    elif isinstance(test, nodes.And | nodes.Or):
        yield from _bare(test.left)
        yield from _bare(test.right)
    elif isinstance(test, nodes.Call) and isinstance(test.node, nodes.Getattr):
        yield from _bare(test.node.node)
    elif isinstance(test, nodes.Compare) and _with_nothing(test):
        yield from _bare(test.expr)


def _with_nothing(test: nodes.Compare) -> bool:
    """Whether something is compared with the empty text, or its length with a number."""
    counted = isinstance(test.expr, nodes.Filter) and test.expr.name in ("length", "count")
    values = [op.expr.value for op in test.ops if isinstance(op.expr, nodes.Const)]
    return bool(values) and (counted or all(value in ("", None) for value in values))


def _tree(block: str) -> nodes.Template | None:
    # The tree alone is looked at: jinja2.meta would work out constants, and they can be bombs.
    try:
        return ImmutableSandboxedEnvironment().parse(block)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return None
