"""Renders Jinja blocks and looks for patterns. Needs the standard library and jinja2 alone.

Run as a program it reads one request from standard input under hard limits and answers on standard
output; that is how blocks that a stranger wrote are rendered.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any, ClassVar
from uuid import uuid4

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_SECONDS = 1
MEMORY_BYTES = 400_000_000
# Longest text of one block, and of all of a request, in characters.
PIECE, TOTAL = 20_000, 8_000_000

Request = dict[str, Any]
Response = dict[str, Any]


class TooLongError(Exception):
    """A block renders to more than it may."""


def answer(request: Request) -> Response:
    """Render ``jobs`` [[block, values], …] of ``blocks``, or ``chats`` by a ``form``, or search
    ``texts`` for ``pattern``.

    Returns ``{"texts": […]}``, ``{"spans": […]}`` or ``{"error": kind, "what": …, "block": …}``.
    """
    block = ""
    try:
        if "pattern" in request:
            return {"spans": [_span(request["pattern"], text) for text in request["texts"]]}
        if "form" in request:
            return _chats(request["form"], request["chats"], request["names"], request["opens"])
        texts, total = [], 0
        for block, values in request["jobs"]:
            texts.append(_render(request["blocks"][block], values))
            total += len(texts[-1])
            if total > TOTAL:
                raise TooLongError
        return {"texts": texts}
    except Exception as error:
        return {"block": block, **_said(error)}


def _span(pattern: str, text: str) -> tuple[int, int] | None:
    """The first group of the first match, or all of the match."""
    match = re.search(pattern, text)
    if match is None:
        return None
    span = match.span(1) if match.re.groups else match.span()
    return None if span == (-1, -1) else span


def _render(source: str, values: dict[str, Any]) -> str:
    return "".join(_pieces(source, values))


def _pieces(source: str, values: dict[str, Any]) -> Iterator[str]:
    length = 0
    for piece in _compiled(source).generate(values):
        length += len(piece)
        if length > PIECE:
            raise TooLongError
        yield piece


def _chats(form: str, chats: list[Any], names: dict[str, Any], opens: bool) -> Response:
    """Every chat [{"role", "content"}, …] in a tokenizer's form, with the spans that are marked."""
    mark = uuid4().hex
    compiled, texts, marked, total = _chat_form(form, mark), [], [], 0
    for turns in chats:
        given = {"messages": turns, "tools": None, "documents": None, **names}
        pieces = []
        for piece in compiled.generate(**given, add_generation_prompt=opens):
            total += len(piece)
            if total > TOTAL:
                raise TooLongError
            pieces.append(piece)
        text, spans = _unmarked("".join(pieces), mark)
        texts.append(text)
        marked.append(spans)
    return {"texts": texts, "marked": marked}


def _unmarked(text: str, mark: str) -> tuple[str, list[tuple[int, int]]]:
    """A text without the marks around what the model says, and where that stands."""
    parts = text.split(mark)
    ends = [*accumulate(map(len, parts))]
    return "".join(parts), list(zip(ends[::2], ends[1::2], strict=False))


class _Generation(Extension):
    """``{% generation %}`` around what a model says: what is inside, between two marks."""

    tags: ClassVar[set[str]] = {"generation"}
    mark = ""

    def parse(self, parser: Any) -> list[nodes.Node]:
        """What stands between the mark and its end, with names of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        edge = nodes.Output([nodes.TemplateData(self.mark)], lineno=line)
        return [edge, nodes.Scope(body, lineno=line), edge]


def _chat_form(source: str, mark: str) -> Any:
    """A tokenizer's chat template, with what transformers lets it use."""
    generation = type("Generation", (_Generation,), {"mark": mark})
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[generation, loopcontrols]
    )
    environment.filters["tojson"] = _as_json
    environment.globals |= {"raise_exception": _raise, "strftime_now": _now}
    return environment.from_string(source)


def _as_json(value: Any, ensure_ascii: bool = False, **given: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **given)


def _raise(message: str) -> None:
    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


@lru_cache(maxsize=256)
def _compiled(source: str) -> Any:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(source)


def _said(error: Exception) -> dict[str, str]:
    """What went wrong, as a kind and the words of the library."""
    kinds: list[tuple[tuple[type[Exception], ...], str]] = [
        ((TooLongError,), "long"),
        ((SecurityError,), "unsafe"),
        ((UndefinedError,), "undefined"),
        ((TemplateSyntaxError,), "syntax"),
        ((MemoryError, OverflowError, RecursionError), "large"),
    ]
    kind = next((name for types, name in kinds if isinstance(error, types)), "other")
    line = f" (line {error.lineno})" if isinstance(error, TemplateSyntaxError) else ""
    return {"error": kind, "what": str(error)[:200] + line}


def _limit() -> None:
    """Hard limits on this process, where the system has them."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit()
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
