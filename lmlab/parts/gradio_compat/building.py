"""Where a component stands while the page is made, and whose request a thread answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import gradio as gr
from gradio import component_meta
from gradio.context import Context, LocalContext

from lmlab.hosting.guests import place
from lmlab.parts.scripts import mounts

# Gradio writes a ``.pyi`` beside each class that derives from one of its own, from the source as it
# stood: mypy reads that in place of the module, and an installed package may be read-only.
component_meta.create_or_modify_pyi = lambda *_: None


class Placed(TypedDict, total=False):
    """What may be said of any component of our own. Gradio's HTML takes any name, so a misspelt one
    would go unseen.
    """

    elem_id: str
    elem_classes: str | list[str]
    visible: bool
    container: bool
    label: str
    min_height: int


class Given(Placed, total=False):
    """What else some of them are given."""

    html_template: str
    js_on_load: str
    apply_default_css: bool
    server_functions: list[Callable[..., Any]] | None
    group: str
    colour_by: str
    empty: str
    tab: str
    among: str


class Html(gr.HTML):
    """A component of our own: a constant template, and a module whose ``mount`` makes DOM of its
    value, JSON, by text nodes; so nothing that a visitor types is ever taken for HTML or script.
    """

    TEMPLATE = "<span hidden></span>"
    MODULE = ""  # its path within the package, without ``.js``
    TELLS: tuple[str, ...] = ()  # events that it triggers
    SHOWN = True

    def __init__(self, value: str = "", **given: Unpack[Given]) -> None:
        made: Given = {
            "html_template": self.TEMPLATE,
            "js_on_load": mounts(self.MODULE, *self.TELLS),
            "apply_default_css": False,
        }
        if not self.SHOWN:
            made |= {"container": False, "elem_classes": "lm-none"}
        super().__init__(value, **(made | given))


class Hidden(Html):
    """One that shows nothing: what its value says, its module hands on."""

    SHOWN = False


class AsBase:
    """Of a component of our own that is, for the browser, the one that it derives from next."""

    def get_block_name(self) -> str:
        """The name that Gradio's page knows it by."""
        return type(self).__mro__[2].__name__.lower()


def tab() -> gr.Tab:
    """The tab that is being built."""
    if not isinstance(Context.block, gr.Tab):
        raise TypeError("A tab is built inside of gr.Tab.")
    return Context.block


def page() -> gr.Blocks:
    """The page that is being built."""
    if Context.root_block is None:
        raise TypeError("A page is built inside of gr.Blocks.")
    return Context.root_block


def components(page: gr.Blocks) -> list[Any]:
    """All that a page is made of, in the order of its making."""
    return list(page.blocks.values())


def outer(page: gr.Blocks) -> gr.Tabs:
    """The page's own row of tabs."""
    return next(one for one in components(page) if isinstance(one, gr.Tabs))


def elsewhere(tab: str, names: Sequence[str]) -> dict[str, Any]:
    """Controls of a tab that was built before, by the second half of their ids; nothing where one
    of them is not there.
    """
    known = {getattr(one, "elem_id", None): one for one in components(page())}
    found = {name: known.get(f"{tab}-{name}") for name in names}
    return {} if None in found.values() else found


def below(block: Any) -> Iterator[Any]:
    """All that stands in a block."""
    for child in getattr(block, "children", ()):
        yield child
        yield from below(child)


def endpoint(handler: Callable[..., Any], name: str, line: Mapping[str, Any]) -> None:
    """A function for programs, which no component calls; ``line`` are an event's options."""
    waits = {key: line[key] for key in ("concurrency_id", "concurrency_limit")}
    gr.api(handler, api_name=name, **waits)  # type: ignore[attr-defined]


def request() -> Any:
    """Starlette's request that is answered in this thread; None outside of one."""
    return getattr(LocalContext.request.get(None), "request", None)


def whence() -> str:
    """The address that asks for what is going on in this thread; empty outside of a request."""
    return place(getattr(getattr(request(), "client", None), "host", ""))
