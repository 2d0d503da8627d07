"""The page's modules and style sheet: files beside what they belong to, served by an address that
changes with what is in them, so that a browser loads each once and keeps it. Holds no visitor's
text.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import lmlab
from lmlab.parts import palette, strip

PACKAGE = Path(lmlab.__file__).parent
# What Gradio makes of a page's own style sheet: each rule once more, stronger than its own.
STRONGER = ".gradio-container.gradio-container .contain"


@cache
def files() -> Mapping[str, bytes]:
    """All that is served, by its path within the package."""
    found = {path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in _own("*.js")}
    terms = (PACKAGE / "page" / "terms.json").read_text(encoding="utf-8")
    made = f"export const KEY = {strip.key()};\nexport const TERMS = {terms};\n"
    return {**found, "made.js": made.encode(), "style.css": style().encode()}


@cache
def folder() -> str:
    """The path, below the page's own, that ``files`` are served under."""
    told = hashlib.sha256()
    for name, text in files().items():
        told.update(f"{name} {len(text)} ".encode() + text)
    return f"web/{told.hexdigest()[:16]}"


def mounts(module: str, *events: str) -> str:
    """A component's ``js_on_load``: its module is loaded, and its ``mount`` called with the element
    and what Gradio gives a component.

    Args:
        module: path within the package, without ``.js``.
        events: that it triggers; Gradio knows them by their names in quotes.
    """
    named = " ".join(json.dumps(name) for name in events)
    gives = "element, { props, watch, trigger, server }"
    return f"{loads(module)}.then((made) => made.mount({gives})); // {named}"


def loads(module: str) -> str:
    """The expression that loads a module."""
    return f'import(new URL("{folder()}/{module}.js", document.baseURI))'


def links(modules: Sequence[str]) -> str:
    """What the page's head says: the style sheet, and modules that are wanted at once.

    Args:
        modules: their paths within the package; what they import follows.
    """
    wanted: dict[str, None] = {}
    for module in modules:
        _follow(f"{module}.js", wanted)
    heads = [f'<link rel="stylesheet" href="{folder()}/style.css">']
    heads += [f'<link rel="modulepreload" href="{folder()}/{name}">' for name in wanted]
    return "\n".join(heads)


def _follow(name: str, found: dict[str, None]) -> None:
    if name in found:
        return
    found[name] = None
    for other in re.findall(r'^import .*"(\..*)";$', files()[name].decode(), re.MULTILINE):
        at = (PACKAGE / name).parent / other
        _follow(at.resolve().relative_to(PACKAGE.resolve()).as_posix(), found)


def style() -> str:
    """The style sheet, with the colours of the strip as variables."""
    light = _variables("b", palette.RAMP, palette.INK)
    light += _variables("d", palette.DIFF_RAMP, palette.DIFF_INK)
    dark = _variables("b", palette.RAMP_DARK, palette.INK_DARK)
    dark += _variables("d", palette.DIFF_RAMP_DARK, palette.DIFF_INK_DARK)
    levels = "".join(
        f".{kind}{i}{{background:var(--{kind}{i});color:var(--{kind}{i}-ink)}}"
        for kind in "bd"
        for i in range(len(palette.RAMP))
    )
    texts = [levels, *(path.read_text(encoding="utf-8") for path in _own("*.css"))]
    sheet = "\n".join(texts)
    inside = re.sub(r"(^|[,}{]\s*)\.dark (?=[^{])", r"\1.dark & ", sheet, flags=re.MULTILINE)
    return f":root{{{light}}} .dark{{{dark}}}\n{sheet}\n{STRONGER} {{\n{inside}\n}}\n"


def _own(pattern: str) -> list[Path]:
    """Files of the page, what all of it shares first."""
    folders = ("parts", "page", "features")
    return [path for name in folders for path in sorted((PACKAGE / name).rglob(pattern))]


def _variables(kind: str, ramp: Sequence[str], ink: Sequence[str]) -> str:
    pairs = enumerate(zip(ramp, ink, strict=True))
    return "".join(f"--{kind}{i}:{back};--{kind}{i}-ink:{fore};" for i, (back, fore) in pairs)
