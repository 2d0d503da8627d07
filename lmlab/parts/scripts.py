"""The page's scripts and style sheet, put together from ``assets/``. Holds no visitor's text."""

from collections.abc import Sequence

from lmlab.assets import assets_dir
from lmlab.parts import palette, strip

SHEETS = ("style", "completing", "prompting", "tuning", "scale", "data", "lecture", "change",
          "timemachine", "pretraining", "keep")  # fmt: skip


def script(*names: str) -> str:
    """Some scripts of ``assets/`` as one body of code, what all of them need before it."""
    parts = [_read(f"{name}.js") for name in ("common", *names)]
    return "\n".join([f"const KEY = {strip.key()};", *parts])


def terms() -> str:
    """The line about each term, as the constant that ``terms.js`` reads."""
    return f"const TERMS = {_read('terms.json')};"


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
