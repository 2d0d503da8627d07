"""Which fields a Jinja block inserts, found without running it."""

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
    # The tree alone is looked at: jinja2.meta would work out constants, and they can be bombs.
    try:
        tree = ImmutableSandboxedEnvironment().parse(block)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return ()
    used = [(node.name, node.ctx) for node in tree.find_all(nodes.Name)]
    own = {name for name, context in used if context != "load"}
    return tuple(dict.fromkeys(name for name, _ in used if name not in own | BUILT_IN))
