"""The files of Gradio's page that are wanted at once, by name: the browser would else learn of them
one after another, as each names the next ones. Where they are named otherwise, it does just that.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from gradio import routes

FILES = Path(str(routes.BUILD_PATH_LIB))  # type: ignore[attr-defined]
SCRIPT = re.compile(r'<script type="module"[^>]* src="\./assets/([\w.-]+)"')
LISTED = re.compile(r"m\.f=\[(.*?)\]")
NEEDED = r".*?__vite__mapDeps\(\[([\d,]+)\]\)"  # by places in what is listed, itself among them
PAGE, BLOCKS = r"import\(`\./Index-", r"import\(`\./Blocks-"
COMPONENT = r"[{{,]{kind}:\{{[^}}]*\bcomponent:"  # in the list of all
SHOWN_BY = {"api": "state"}  # a component's kind that is shown by another one's files
PLOTLY = r"\bplotly:\(\)"


@cache
def preloads(kinds: frozenset[str]) -> str:
    """Lines for the page's head: files of the page, and of components of these kinds."""
    page = _needed(_main(), PAGE)
    blocks = _needed(_named(page, "Index-"), BLOCKS)
    listed = _named(page, "core-")
    names = [SHOWN_BY.get(kind, kind) for kind in sorted(kinds)]
    parts = [_needed(listed, COMPONENT.format(kind=kind)) for kind in names]
    wanted = dict.fromkeys(name for part in (page, blocks, *parts) for name in part)
    return "\n".join([_line(name) for name in wanted] + _plotly(wanted))


def _main() -> str:
    """The page's script."""
    found = SCRIPT.search(_text("../index.html"))
    return _text(found[1]) if found else ""


def _needed(text: str, at: str) -> list[str]:
    """What a file loads together with what it names first after a place in it."""
    found, listed = re.search(at + NEEDED, text), LISTED.search(text)
    if found is None or listed is None:
        return []
    names = re.findall(r'"\./([\w.-]+)"', listed[1])
    places = map(int, found[1].split(","))
    return [names[place] for place in places if place < len(names)]


def _named(names: Iterable[str], start: str) -> str:
    """The text of the file among these whose name begins so."""
    return next((_text(name) for name in names if name.startswith(start)), "")


def _text(name: str) -> str:
    path = FILES / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _line(name: str) -> str:
    if name.endswith(".css"):
        return f'<link rel="preload" as="style" crossorigin href="./assets/{name}">'
    return f'<link rel="modulepreload" href="./assets/{name}">'


def _plotly(wanted: Iterable[str]) -> list[str]:
    """What a plot needs once it has a value: fetched when there is nothing else to do."""
    found = _needed(_named(wanted, "Plot-"), PLOTLY)[:1]
    return [
        f'<link rel="prefetch" as="script" crossorigin href="./assets/{name}">' for name in found
    ]
