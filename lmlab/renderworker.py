"""Renders Jinja blocks and looks for patterns. Needs the standard library and jinja2 alone.

Run as a program it reads one request from standard input under hard limits and answers on standard
output; that is how blocks that a stranger wrote are rendered.
"""

import json
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any
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

FIGURE = re.compile(r"-?(0|[1-9]\d{0,299})(\.\d+)?([eE][+-]?\d{1,3})?")
SPECS = "bcdeEfFgGn%"  # ends of what ``format`` is told about a number


class TooLongError(Exception):
    """A block renders to more than it may."""


def _computing(name: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    """A method that works on numbers where both sides are numbers, else on texts."""
    work = getattr(operator, name.strip("_"))

    def method(self: "Figure", other: Any) -> Any:
        if isinstance(other, Figure):
            other = other.number
        elif isinstance(other, bool) or not isinstance(other, int | float):
            plain = getattr(str, name, None)
            return plain(self, other) if plain and not swapped else NotImplemented
        return work(other, self.number) if swapped else work(self.number, other)

    return method


class Figure(str):
    """A text that is a number: it shows as it is written and computes as a number."""

    __slots__ = ()
    __hash__ = str.__hash__

    @property
    def number(self) -> int | float:
        """Its value."""
        return int(self) if self.lstrip("-").isdecimal() else float(str(self))

    def lower(self) -> "Figure":
        """Itself: Jinja's filters compare texts in small letters."""
        return self

    def __neg__(self) -> int | float:
        return -self.number

    def __abs__(self) -> int | float:
        return abs(self.number)

    def __round__(self, digits: int | None = None) -> int | float:
        return round(self.number, digits)

    def __int__(self) -> int:
        return int(str(self)) if self.lstrip("-").isdecimal() else int(float(str(self)))

    def __float__(self) -> float:
        return float(str(self))

    def __index__(self) -> int:
        return operator.index(self.number)  # type: ignore[arg-type]

    def __format__(self, spec: str) -> str:
        return format(self.number if spec[-1:] and spec[-1] in SPECS else str(self), spec)


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Figure, f"__{_name}__", _computing(f"__{_name}__"))
for _name in ("add", "sub", "mul", "mod", "pow", "truediv", "floordiv"):
    setattr(Figure, f"__{_name}__", _computing(f"__{_name}__"))
    setattr(Figure, f"__r{_name}__", _computing(f"__{_name}__", swapped=True))


class Counted(Figure):
    """A number of a table: nought is false."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self.number != 0


class Truth(str):
    """A truth value of a table, which shows as it is written."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __bool__(self) -> bool:
        return self.lower() == "true"

    def __eq__(self, other: object) -> bool:
        return bool(self) is other if isinstance(other, bool) else str(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other


def _taken(value: Any) -> Any:
    """A cell as blocks see it."""
    if isinstance(value, str):
        return Figure(value) if FIGURE.fullmatch(value) else value
    if isinstance(value, Mapping):
        ((kind, text),) = value.items()
        if kind == "chat":
            return json.loads(text)
        return Counted(text) if kind == "number" else Truth(text)
    return value


def answer(request: Request) -> Response:
    """Render ``jobs`` [[block, values], …] of ``blocks``, or ``chats`` by a ``form``, or search
    ``texts`` for ``pattern``.

    Values are strings, lists, and cells of a kind as {kind: text}. Returns ``{"texts": […]}``,
    ``{"spans": […]}`` or ``{"error": kind, "what": …, "block": …, "job": …}``.
    """
    block, job = "", -1
    try:
        if "pattern" in request:
            return {"spans": [_span(request["pattern"], text) for text in request["texts"]]}
        if "form" in request:
            return _chats(request["form"], request["chats"], request["names"], request["opens"])
        texts, total = [], 0
        for number, (block, values) in enumerate(request["jobs"]):
            job = number
            cells = {name: _taken(value) for name, value in values.items()}
            texts.append("".join(_pieces(request["blocks"][block], cells)))
            total += len(texts[-1])
            if total > TOTAL:
                raise TooLongError
        return {"texts": texts}
    except Exception as error:
        return {"block": block, "job": job, **_said(error)}


def _span(pattern: str, text: str) -> tuple[int, int] | None:
    """The first group of the first match, or all of the match."""
    match = re.search(pattern, text)
    if match is None:
        return None
    span = match.span(1) if match.re.groups else match.span()
    return None if span == (-1, -1) else span


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

    tags = {"generation"}  # noqa: RUF012 - as the base class declares it
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
