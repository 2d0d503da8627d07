"""Which fields a Jinja block inserts, found without running it."""

from collections.abc import Iterator

from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Names that Jinja itself gives to every block.
BUILT_IN = frozenset(DEFAULT_NAMESPACE) | {"loop", "self", "caller", "varargs", "kwargs"}


def fields_of(block: str) -> tuple[str, ...]:
    """The names that a block inserts, in the order of their first use; none where it is not valid.

    >>> fields_of("{{ text }} -> {{ label }}")
    ('text', 'label')
    """
    tree = _tree(block)
    if tree is None:
        return ()
    used = [(node.name, node.ctx) for node in tree.find_all(nodes.Name)]
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
    if tree is None:
        return frozenset()
    found: list[nodes.Node] = []
    for node in tree.find_all((nodes.If, nodes.CondExpr, nodes.Or, nodes.Filter)):
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
