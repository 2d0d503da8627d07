"""The page's scripts and style sheet, put together from ``assets/``. Holds no visitor's text."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from lmlab import palette
from lmlab.assets import assets_dir
from lmlab.parts import strip

SHEETS = ("style", "completing", "prompting", "tuning", "scale", "data", "lecture", "change",
          "timemachine", "pretraining", "keep")  # fmt: skip


def script(*names: str) -> str:
    """Some scripts of ``assets/`` as one body of code, what all of them need before it."""
    parts = [_read(f"{name}.js") for name in ("common", *names)]
    return "\n".join([f"const KEY = {strip.key()};", *parts])


def terms(folders: Iterable[Path] = ()) -> str:
    """The line about each term, the shared ones and those of folders' ``terms.json``, as the
    constant that ``terms.js`` reads."""
    found: dict[str, str] = json.loads(_read("terms.json"))
    for path in (folder / "terms.json" for folder in folders):
        found |= json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return f"const TERMS = {json.dumps(found)};"


def within(*names: str) -> str:
    """More scripts, for a body of code that has begun with ``script`` already."""
    return "\n".join(_read(f"{name}.js") for name in names)


def enclosed(function: str, *names: str, gives: Sequence[str]) -> str:
    """A component's scripts as a function of what Gradio hands a component, so that another one can
    hold it; it returns an object of the functions named in ``gives``."""
    head = f"function {function}(element, props, watch, trigger) {{"
    return f"{head}\n{within(*names)}\nreturn {{ {', '.join(gives)} }};\n}}"


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
    sheets = "\n".join(_read(f"{name}.css") for name in SHEETS)
    return f":root{{{light}}} .dark{{{dark}}} {levels}\n{sheets}"


def _variables(kind: str, ramp: Sequence[str], ink: Sequence[str]) -> str:
    pairs = enumerate(zip(ramp, ink, strict=True))
    return "".join(f"--{kind}{i}:{back};--{kind}{i}-ink:{fore};" for i, (back, fore) in pairs)


def _read(name: str) -> str:
    return (assets_dir() / name).read_text(encoding="utf-8")
