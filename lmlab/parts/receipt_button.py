"""What a visitor keeps of a result: a receipt beside it, and its place in the page's report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lmlab.errors import LabError
from lmlab.parts.gradio_compat.building import Html
from lmlab.parts.stream import waits_in

KEEPING = waits_in("keep", 4)
LONGEST = 90  # characters of a text in a title


@dataclass(frozen=True)
class Note:
    """A result that may be kept."""

    key: str  # of two notes with one key the report keeps the later one
    title: str  # what it is, in a line; visitors' text may stand in it
    write: Callable[[], str]  # makes the receipt


class Keep(Html):
    """The receipt of a result, for a part of the page; its event ``ask`` asks for one that is not
    made yet. ``among`` are ids of what the report shows of the result."""

    TEMPLATE = """
<div class="lm-keep" hidden>
<button type="button" class="lm-keep-open" aria-expanded="false"
 title="A script that gives this number without lmlab">Receipt</button>
<div class="lm-keep-box" hidden>
<p class="lm-keep-whole">Plain torch and transformers, without lmlab: it gives this number again.
Nothing of it has run yet.</p>
<p class="lm-keep-why" role="status"></p>
<div class="lm-keep-bar lm-keep-whole"><button type="button" class="lm-keep-copy">Copy</button>
<button type="button" class="lm-keep-save">Save as receipt.py</button></div>
<pre class="lm-keep-code lm-keep-whole" tabindex="0" role="region" aria-label="Receipt"></pre>
</div></div>
"""
    MODULE = "parts/web/keep"
    TELLS = ("ask",)

    def __init__(self, name: str, among: Sequence[str]) -> None:
        super().__init__(
            container=False,
            elem_id=f"{name}-keep",
            elem_classes="lm-keepbox",
            among=" ".join(among),
        )


def follow(
    keep: Keep,
    events: Sequence[Any],
    make: Callable[..., Note | None],
    inputs: Sequence[Any],
    *,
    lazy: bool = False,
    **options: Any,
) -> None:
    """After each event the result is noted.

    Args:
        keep: where.
        events: that may have shown a result.
        make: the note of what ``inputs`` hold; None where there is no result.
        inputs: what the session keeps of it.
        lazy: the receipt takes some work, and is made where it is asked for alone.
    """
    wired = {**KEEPING, **options}
    for event in events:
        event.success(noted(make, lazy=lazy), list(inputs), keep, **wired)
    if lazy:
        keep.ask(noted(make, asked=True), list(inputs), keep, **wired)


def noted(
    make: Callable[..., Note | None], *, lazy: bool = False, asked: bool = False
) -> Callable[..., str]:
    """The handler: what the component takes, as JSON; empty where there is no result."""

    def note(*values: Any) -> str:
        found = make(*values)
        if found is None:
            return ""
        told: dict[str, Any] = {"key": found.key, "title": found.title, "waits": lazy}
        if not lazy:
            told |= _written(found)
        return json.dumps({**told, "asked": asked}).replace("<", "\\u003c")

    return note


def _written(found: Note) -> dict[str, str]:
    """The receipt, or why there is none."""
    try:
        return {"receipt": found.write(), "why": ""}
    except LabError as error:
        return {"receipt": "", "why": f"{error.message} {error.hint}".strip()}


def quoted(text: str) -> str:
    """The beginning of a visitor's text for a title."""
    words = " ".join(text.split())
    return f"“{words[:LONGEST]}{'…' if len(words) > LONGEST else ''}”"
