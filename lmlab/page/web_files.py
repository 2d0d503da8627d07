"""The page's modules and style sheet: files beside what they belong to, served by an address that
changes with what is in them, so that a browser loads each once and keeps it. Holds no visitor's
text.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import lmlab.features
from lmlab import palette
from lmlab.parts import strip
from lmlab.parts.scripts import PLACE

PACKAGE = Path(lmlab.__file__).parent
# What Gradio makes of a page's own style sheet: each rule once more, stronger than its own.
STRONGER = ".gradio-container.gradio-container .contain"
OUTER = r"(^|[,}{]\s*)(\.(?:dark|lm-staged)) (?=[^{])"  # classes of what is around such a page


def files() -> Mapping[str, bytes]:
    """All that is served, by its path within the package; of features elsewhere too."""
    return _files(tuple(lmlab.features.__path__), strip.key())


def folder() -> str:
    """The path, below the page's own, that ``files`` are served under."""
    return _folder(tuple(lmlab.features.__path__), strip.key())


@cache
def _files(features: tuple[str, ...], key: str) -> Mapping[str, bytes]:
    kinds = ("*.js", "*.html")
    found = {name: path.read_bytes() for kind in kinds for name, path in _own(kind, features)}
    terms: dict[str, str] = {}
    for _, path in _own("terms.json", features):
        terms |= json.loads(path.read_text(encoding="utf-8"))
    made = f"export const KEY = {key};\nexport const TERMS = {json.dumps(terms)};\n"
    return {**found, "made.js": made.encode(), "style.css": style(features).encode()}


@cache
def _folder(features: tuple[str, ...], key: str) -> str:
    told = hashlib.sha256()
    for name, text in _files(features, key).items():
        told.update(f"{name} {len(text)} ".encode() + text)
    return f"web/{told.hexdigest()[:16]}"


def links(modules: Sequence[str]) -> str:
    """What the page's head says: where files lie, the style sheet, and modules that are wanted at
    once, by their paths within the package; what they import follows."""
    wanted: dict[str, None] = {}
    for module in modules:
        _follow(f"{module}.js", wanted)
    heads = [f'<meta name="{PLACE}" content="{folder()}">']
    heads += [f'<link rel="stylesheet" href="{folder()}/style.css">']
    heads += [f'<link rel="modulepreload" href="{folder()}/{name}">' for name in wanted]
    return "\n".join(heads)


def _follow(name: str, found: dict[str, None]) -> None:
    if name in found:
        return
    found[name] = None
    for other in re.findall(r'^import .*"(\..*)";$', files()[name].decode(), re.MULTILINE):
        _follow(posixpath.normpath(posixpath.join(posixpath.dirname(name), other)), found)


def style(features: Sequence[str] = ()) -> str:
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
    texts = [levels, *(path.read_text(encoding="utf-8") for _, path in _own("*.css", features))]
    sheet = "\n".join(texts)
    inside = re.sub(OUTER, r"\1\2 & ", sheet, flags=re.MULTILINE)
    return f":root{{{light}}} .dark{{{dark}}}\n{sheet}\n{STRONGER} {{\n{inside}\n}}\n"


def _own(pattern: str, features: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Files of the page by name, what all of it shares first."""
    shared = ((name, PACKAGE / name) for name in ("parts", "page"))
    for name, root in (*shared, *(("features", Path(one)) for one in features)):
        for path in sorted(root.rglob(pattern)):
            yield f"{name}/{path.relative_to(root).as_posix()}", path


def _variables(kind: str, ramp: Sequence[str], ink: Sequence[str]) -> str:
    pairs = enumerate(zip(ramp, ink, strict=True))
    return "".join(f"--{kind}{i}:{back};--{kind}{i}-ink:{fore};" for i, (back, fore) in pairs)
