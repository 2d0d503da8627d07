"""What a visitor keeps of a result: a receipt beside it, and its place in the page's report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import gradio as gr

from lmlab.errors import LabError
from lmlab.parts.gradio_compat.building import Given, Html, Placed
from lmlab.parts.stream import QUIET, waits_in

KEEPING = waits_in("keep", 4)
TURNED = "() => JSON.stringify({turn: String(Math.random()), ends: true})"
LONGEST = 90  # characters of a text in a title


@dataclass(frozen=True)
class Note:
    """A result that may be kept."""

    key: str  # of two notes with one key the report keeps the later one
    title: str  # what it is, in a line; visitors' text may stand in it
    write: Callable[[], str]  # makes the receipt


class Keep(Html):
    """The receipt of a result, for a part of the page. ``among`` are ids of what the report shows
    of the result.

    Its value is word that something else is shown (``stream.turned``), from whatever shows it and
    along with it: the receipt that stands there goes at once, and the event ``ask`` asks for the
    next one by that word's name. An answer of another name comes too late, and is dropped.
    """

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

    def __init__(self, name: str, among: Sequence[str], **given: Unpack[Placed]) -> None:
        made: Given = {
            "container": False,
            "elem_id": f"{name}-keep",
            "elem_classes": "lm-keepbox",
            "among": " ".join(among),
        }
        super().__init__(**(made | given))

    def notes(
        self,
        make: Callable[..., Note | None],
        inputs: Sequence[Any],
        *,
        after: Sequence[Any] = (),
        lazy: bool = False,
        **options: Any,
    ) -> None:
        """Wire what answers.

        Args:
            make: the note of what ``inputs`` hold; None where there is no result.
            inputs: what the session keeps of it.
            after: events that show a result and do not tell of it themselves.
            lazy: the receipt takes some work, and is made where it is opened alone.
        """
        for event in after:
            event.success(None, None, self, js=TURNED, **QUIET)
        wired = {"trigger_mode": "multiple", **KEEPING, **options}
        self.ask(noted(make, lazy=lazy), list(inputs), self, **wired)


def noted(make: Callable[..., Note | None], *, lazy: bool = False) -> Callable[..., str]:
    """The handler: what the component takes, as JSON."""

    def note(asked: gr.EventData, *values: Any) -> str:
        found = make(*values)
        told: dict[str, Any] = {"of": str(getattr(asked, "turn", ""))[:40], "lazy": lazy}
        if found is not None:
            told |= {"key": found.key, "title": found.title}
            waits = lazy and getattr(asked, "open", None) is not True
            told |= {"waits": True} if waits else _written(found)
        return json.dumps(told).replace("<", "\\u003c")

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
