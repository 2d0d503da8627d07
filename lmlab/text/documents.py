"""Text that may come from strangers → documents, within limits. Text only; runs nothing.

A file is JSONL, CSV or TSV by its ending; any other is plain text, cut where the visitor says.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.settings import Settings
from lmlab.text.delimited import separated
from lmlab.text.records import Row
from lmlab.text.rows import decoded, kind_of

Cut = Literal["blank lines", "lines", "nowhere"]
CUTS: tuple[Cut, ...] = ("blank lines", "lines", "nowhere")
MOST_DOCUMENTS = 1000  # of a visitor's corpus
END = "<|endoftext|>"
# The column that holds the text, in the order in which it is looked for.
COLUMNS = ("text", "content", "document", "body", "raw_content", "sentence")
BLANK = re.compile(r"\n[^\S\n]*\n\s*")
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read."""

    documents: int
    chars: int  # of all of them together

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """What a page's settings allow."""
        return cls(MOST_DOCUMENTS, settings.max_corpus_chars)


def read_documents(
    data: bytes | str, name: str, limits: Limits, cut: Cut = "blank lines", column: str = ""
) -> tuple[str, ...]:
    """The documents of a file, its kind told by its name's ending, or of a pasted text; empty ones
    are left out.

    A plain text is cut at ``<|endoftext|>`` where it has that, else where ``cut`` says; ``column``
    of a table holds the text, by default the likeliest.

    Raises:
        InputError: not UTF-8, compressed, broken, empty, or beyond the limits; says which.
    """
    if len(data) > 4 * limits.chars:
        raise too_long(len(data) // 4, limits)
    text = data if isinstance(data, str) else decoded(data)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise InputError(f"{name} holds NUL characters, so it is not a text.")
    if SURROGATE.search(text):
        raise InputError(f"{name} holds half of a surrogate pair.", "Delete it.")
    if len(text) > 4 * limits.chars:
        raise too_long(len(text), limits)
    kind = kind_of_text(name, text)
    if kind == "text":
        found = _cut(text, cut)
    else:
        found = _jsonl(text, column) if kind == "jsonl" else _column_of(text, kind, column, limits)
    return _limited(found, name, limits)


def too_long(chars: int, limits: Limits) -> InputError:
    """The error about a corpus that is beyond the limit."""
    return InputError(
        f"The corpus has {chars:,} characters or more; at most {limits.chars:,} are read.",
        "Take a part of it: a sample shows the same.",
    )


def shipped_corpora() -> list[str]:
    """Names of the corpora that ship."""
    return sorted(path.stem for path in (assets_dir() / "corpora").glob("*.jsonl"))


def shipped(name: str, limits: Limits) -> tuple[str, ...]:
    """The documents of a corpus that ships."""
    if name not in shipped_corpora():
        raise InputError(f"There is no corpus named ‘{name[:60]}’.")
    file = assets_dir() / "corpora" / f"{name}.jsonl"
    return read_documents(file.read_bytes(), file.name, limits)


def kind_of_text(name: str, text: str) -> str:
    """``jsonl``, ``csv``, ``tsv`` or ``text``, by the name's ending, else by how it begins."""
    ending = Path(name).suffix.lower()
    if ending in (".jsonl", ".ndjson", ".json", ".csv", ".tsv"):
        return kind_of(name, text)
    if ending in (".txt", ".md", ".text", ".markdown"):
        return "text"
    return "jsonl" if text.lstrip().startswith('{"') else "text"


def _cut(text: str, cut: Cut) -> Iterable[str]:
    if END in text:
        return text.split(END)
    if cut == "nowhere":
        return [text]
    return text.split("\n") if cut == "lines" else BLANK.split(text)


def _column_of(text: str, kind: str, column: str, limits: Limits) -> Iterator[str]:
    """The text of each row of CSV or TSV."""
    rows = separated(text, "\t" if kind == "tsv" else ",", most=limits.documents)
    if column and rows and column not in rows[0]:
        raise _no_column(column, rows[0])
    name = column or _column(rows)
    return (row.get(name, "") for row in rows)


def _jsonl(text: str, column: str) -> Iterator[str]:
    """The text of each object, or of each string; other fields may hold anything."""
    name = column
    for number, value in _values(text):
        if isinstance(value, dict):
            if column and column not in value:
                raise _no_column(column, value, f"Line {number:,}: ")
            if not column and not isinstance(value.get(name), str):
                name = _text_field(value)
            value = value.get(name)
        if not isinstance(value, str):
            known = f"Name the field one of {', '.join(COLUMNS)}."
            raise InputError(f"Line {number:,} has no text.", known)
        yield _whole(value, f"Line {number:,}")


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """Each line's value, or each of a list's, with its number."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError) as error:
            said = f"Line {getattr(error, 'lineno', 1):,} is no valid JSON."
            raise InputError(said, "A JSON file holds a list.") from None
        yield from enumerate(listed, 1)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            hint = "JSONL has one object on each line."
            raise InputError(f"Line {number:,} is no valid JSON.", hint) from None


def _no_column(column: str, row: Iterable[str], place: str = "") -> InputError:
    said = f"{place}there is no column ‘{column[:40]}’."
    return InputError(said[0].upper() + said[1:], f"There are: {', '.join(row)}.")


def _text_field(value: dict[str, Any]) -> str:
    """The field that holds the text: by its name, else the longest string."""
    strings = [key for key, item in value.items() if isinstance(item, str)]
    longest = max(strings, key=lambda key: len(value[key]), default="")
    return next((name for name in COLUMNS if name in strings), longest)


def _column(rows: Sequence[Row]) -> str:
    """The column that holds the text: by its name, else the one with most characters."""
    columns = list(rows[0]) if rows else []
    likeliest = max(columns, key=lambda c: sum(len(row.get(c, "")) for row in rows), default="")
    return next((name for name in COLUMNS if name in columns), likeliest)


def _whole(text: str, place: str) -> str:
    # JSON can spell half of a surrogate pair, or a NUL, that no file could hold.
    if "\0" in text or SURROGATE.search(text):
        raise InputError(f"{place} holds a character that is none.", "Delete it.")
    return text


def _limited(pieces: Iterable[str], name: str, limits: Limits) -> tuple[str, ...]:
    found, chars = list[str](), 0
    for text in filter(None, map(str.strip, pieces)):
        chars += len(text)
        if chars > limits.chars:
            raise too_long(chars, limits)
        if len(found) == limits.documents:
            many = f"There are more than {limits.documents:,} documents."
            raise InputError(many, "Take fewer, or cut the text at fewer places.")
        found.append(text)
    if not found:
        raise InputError(f"There is no text in {name}.")
    return tuple(found)
