"""A tab's state as a link's query string, and back. Only what differs from the page as it opens."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from lmlab.errors import InputError
from lmlab.page.lecture.stage import Stage

LONGEST = 6000  # characters of a query string; servers and chats cut longer ones
MOST = 60
TAB, SCENE, RUN = "tab", "scene", "run"


def linkable(stage: Stage) -> dict[str, Any]:
    """The controls whose values a link carries."""
    return {key: c for key, c in stage.controls.items() if not isinstance(c, gr.Tabs)}


def query(stage: Stage, values: Sequence[Any]) -> str:
    """The query string of a tab's values, those of ``linkable`` in its order.

    Raises:
        InputError: the link would be too long.
    """
    pairs = [(TAB, stage.name)]
    for (key, control), value in zip(linkable(stage).items(), values, strict=True):
        if value is not None and value != control.value:
            parts = value if isinstance(value, list) else [value]
            pairs += [(key, _text(part)) for part in parts] or [(key, "")]
    try:
        found = urlencode(pairs)
    except UnicodeError:
        raise InputError(
            "Half a character cannot stand in a link.", "Type the text anew."
        ) from None
    if len(found) > LONGEST:
        raise InputError(
            f"The link would have {len(found):,} characters; many programs cut links of over "
            f"{LONGEST:,}.",
            "Shorten the text, or save the tab as a scene.",
        )
    return found


def read(text: str) -> tuple[str, dict[str, str | tuple[str, ...]], bool]:
    """(tab, values by control, whether to run) of a query string.

    >>> read("tab=likelihood&text=one+two&run=1")
    ('likelihood', {'text': 'one two'}, True)

    Raises:
        InputError: it is too long, or no such query.
    """
    if len(text) > 2 * LONGEST:
        raise InputError("The link is too long to be one of this page’s.")
    try:
        text.encode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST, errors="strict")
    except (ValueError, UnicodeError):
        raise InputError("The link is damaged.", "Copy it again, as a whole.") from None
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    tab, run = grouped.pop(TAB, [""])[0], grouped.pop(RUN, ["1"])[0] != "0"
    values = {
        key: parts[0] if len(parts) == 1 else tuple(parts)
        for key, parts in grouped.items()
        if not key.startswith("__")
    }
    return tab, values, run


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
