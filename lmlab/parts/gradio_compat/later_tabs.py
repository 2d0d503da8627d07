"""Tabs that the browser makes when they are first opened, by the message with which Gradio draws a
``gr.render`` anew: the page is sent with its first tab, each other one is sent once it is opened.

The server builds all tabs once, as ever; only what a browser is told, and when, is another matter.
Programs are still told all of it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.parts.gradio_compat.building import Hidden, below
from lmlab.parts.gradio_compat.preload import preloads

Values = Mapping[Any, Any]  # by component
CONFIG = re.compile(rb"(?<=window\.gradio_config = ).*?(?=;</script>)", re.DOTALL)


class Opening(Hidden):
    """Is the first to be in a tab that was made: its event ``open`` stands for the tab's first
    ``select``, which came before there was anything to answer it."""

    MODULE = "parts/web/opening"
    TELLS = ("open",)


@dataclass(frozen=True)
class Part:
    """A tab that is sent later, in the form that Gradio asks of what it draws anew."""

    container_id: int  # of the column that holds all of it
    blocks: frozenset[int]  # numbers of all that is in there
    events: frozenset[int]  # numbers of what it brings

    @property
    def _id(self) -> str:
        return f"tab-{self.container_id}"

    @staticmethod
    def fn() -> None:
        """Nothing is to be computed."""


def parts_of(page: gr.Blocks) -> list[Part]:
    """What of a page is sent later."""
    found: list[Any] = [event.renderable for event in page.fns.values()]
    return [one for one in found if isinstance(one, Part)]


def defer(page: gr.Blocks, tab: gr.Tab) -> None:
    """Have a tab of a built page made when it is opened."""
    with page, tab:
        holder = gr.Column()
        with holder:
            opening = Opening(tab=str(tab.id))
    moved = [child for child in tab.children if child is not holder]
    tab.children, holder.children = [holder], [opening, *moved]
    for child in moved:
        child.parent = holder
    blocks = frozenset(block._id for block in below(holder))
    events = _events(page, tab, blocks)
    for number in events:
        targets = page.fns[number].targets
        page.fns[number].targets = [
            *targets,
            *((opening._id, "open") for at, what in targets if (at, what) == (tab._id, "select")),
        ]
    part = Part(holder._id, blocks, events)
    with page:
        made = tab.select(
            part.fn, None, None, queue=False, show_progress="hidden", api_visibility="private"
        )
    # Gradio takes whatever has an id, a container and a function for one of its own.
    vars(page.fns[made["id"]])["renderable"] = part
    for number in events:
        vars(page.fns[number])["rendered_in"] = part


def _events(page: gr.Blocks, tab: gr.Tab, blocks: frozenset[int]) -> frozenset[int]:
    """The events of a tab's components, of its being opened, and what follows on them."""
    found: set[int] = set()
    for number, event in page.fns.items():
        inside = any(
            at in blocks or (at, what) == (tab._id, "select") for at, what in event.targets
        )
        if inside or event.trigger_after in found:
            found.add(number)
    return frozenset(found)


def first_part(
    html: bytes, parts: Sequence[Part], heads: str = "", values: Callable[[], Values] = dict
) -> bytes:
    """The page as it is sent: without what some parts bring, with other values of some components,
    and with some more lines in its head."""
    found = CONFIG.search(html)
    if found is None:
        return html
    config = json.loads(found[0])
    _take_out(config, parts)
    known = {one["id"]: one for one in config["components"]}
    for component, value in values().items():
        if component._id in known:
            known[component._id]["props"]["value"] = value
    kinds = frozenset(one["type"] for one in known.values())
    told = json.dumps(config, ensure_ascii=False, separators=(",", ":"))
    # As Gradio writes it: nothing in it ends a script.
    for sign in "<>&'":
        told = told.replace(sign, f"\\u{ord(sign):04x}")
    sent = html[: found.start()] + told.encode() + html[found.end() :]
    lines = f"{preloads(kinds)}\n{heads}\n</head>"
    return sent.replace(b"</head>", lines.encode(), 1)


def _take_out(config: dict[str, Any], parts: Sequence[Part]) -> None:
    blocks = frozenset().union(*(part.blocks for part in parts))
    events = frozenset().union(*(part.events for part in parts))
    config["components"] = [one for one in config["components"] if one["id"] not in blocks]
    config["dependencies"] = [one for one in config["dependencies"] if one["id"] not in events]
    _cut(config["layout"], blocks)
    for page in config["page"].values():
        page["components"] = [one for one in page["components"] if one not in blocks]
        page["dependencies"] = [one for one in page["dependencies"] if one not in events]
        _cut(page["layout"], blocks)


def _cut(layout: Any, blocks: frozenset[int]) -> None:
    children = [one for one in layout.get("children") or () if one["id"] not in blocks]
    if "children" in layout:
        layout["children"] = children
    for child in children:
        _cut(child, blocks)
