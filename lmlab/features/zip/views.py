"""What the Zip tab shows of a text and its code."""

import gzip
import json
import lzma
import math
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple

from lmlab.features.zip.results import Came, Zipped
from lmlab.parts.html import html
from lmlab.scoring.scored import Scored

HTML = "features/zip/views"
GZIP_HEAD = 18  # bytes of gzip's header and end


class Size(NamedTuple):
    """A text's size as one program makes it, in bytes."""

    name: str
    file: int
    bare: int | None  # without its header


def sizes(content: bytes) -> list[Size]:
    """As it is, and as the programs at hand make it at their best."""
    best = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": best}]
    zipped = len(gzip.compress(content, 9, mtime=0))
    bare = len(lzma.compress(content, lzma.FORMAT_RAW, filters=filters))
    found = [
        Size("as it is", len(content), len(content)),
        Size("gzip −9", zipped, zipped - GZIP_HEAD),
        Size("xz −9e", len(lzma.compress(content, preset=best)), bare),
    ]
    zstd = _zstd(content)
    return found if zstd is None else [*found, Size("zstd −22", zstd, None)]


def _zstd(content: bytes) -> int | None:
    """Bytes of zstd at its best; None where no Python package of it is here."""
    for name in ("compression.zstd", "zstandard"):
        with suppress(ImportError):
            return len(import_module(name).compress(content, level=22))
    return None


def expected(scored: Scored) -> float:
    """How many bytes a text's code will have, from its score."""
    return -scored.logprob / math.log(2) / 8


def figures(scored: Scored | None, found: Zipped | None = None) -> str:
    """The cards: what a score says at once, and what the code then has."""
    if scored is None:
        return html(HTML, "figures", None, None, 0, 0)
    return html(HTML, "figures", scored, found, expected(scored), len(scored.text.encode()))


def table(found: Zipped | None) -> str:
    """Sizes side by side."""
    if found is None:
        return html(HTML, "no_table")
    content = found.text.encode()
    rows = sizes(content)
    has_zstd = any(one.name.startswith("zstd") for one in rows)
    rows.append(Size(found.model, found.file, len(found.code) if found.coded else len(content)))
    return html(HTML, "table", rows, found, has_zstd)


def far(came: Came | None, found: Zipped | None = None) -> str:
    """What the far side has decoded."""
    return html(HTML, "far", came, found)


def picture(found: Zipped) -> str:
    """What the interval is drawn from."""
    bits = "".join(f"{byte:08b}" for byte in found.code)
    steps: list[dict[str, Any]] = [
        {
            "text": one.text,
            "bits": round(one.bits, 3),
            "part": one.part and one.part[1:],
            "others": one.others,
            "out": one.out,
            "needs": one.needs,
        }
        for one in found.symbols
    ]
    return json.dumps({"bits": bits, "steps": steps}, ensure_ascii=False).replace("<", "\\u003c")
