"""Texts, tables and wordings as the commands name them: a file, a data set of the Hub, a shipped
name.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.errors import InputError

if TYPE_CHECKING:
    from lmlab.text.sets import Table
    from lmlab.text.templates import PromptTemplate

HUB = "hub:"
TABLES = "a JSON, CSV, TSV or Parquet file, or hub:OWNER/NAME, with @REVISION and :SUBSET"


def text_of(file: Path | None, what: str) -> str:
    """A text out of a UTF-8 file, else out of standard input; ``what`` names it in a refusal."""
    try:
        return (file.read_bytes() if file else sys.stdin.buffer.read()).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        where = f"{what} is not UTF-8 (byte {error.start + 1})."
        raise InputError(where, "Convert it to UTF-8.") from error


def table_of(
    name: str, maps: Sequence[str] = (), *, split: str = "train", skip: bool = False
) -> "Table":
    """A table by name: a path, or ``hub:owner/name@revision:subset`` and its split. ``maps`` are
    FIELD=COLUMN, each another name for a column; ``skip`` leaves out rows that cannot be read."""
    from lmlab.text import sets as data
    from lmlab.text.parquet import read_parquet
    from lmlab.text.rows import MAX_ROWS

    path = Path(name)
    if name.startswith(HUB):
        from lmlab.runs.hub import HubSet, hub_table

        found = HubSet.parse(name[len(HUB) :])
        table = hub_table(found, split, MAX_ROWS, skip=skip)
    elif not path.is_file():
        sets = ", ".join(data.shipped_sets())
        raise InputError(f"There is no data named ‘{name[:60]}’.", f"There are: {sets}.")
    elif path.suffix.lower() == ".parquet":
        table = read_parquet(path, path.name, skip=skip)
    else:
        table = data.read_file(path, skip=skip)
    if not maps:
        return table
    return table.mapped({**{c: c for c in table.columns}, **dict(map(pair, maps))})


def tell(notes: Iterable[str]) -> None:
    """What became of rows, on standard error."""
    for note in notes:
        print(f"lmlab: {note}", file=sys.stderr)


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE in two parts."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"‘{text[:40]}’ has no ‘=’.", "Write NAME=VALUE.")
    return name.strip(), value


def template_of(name: str, *, tasks: bool = False) -> "PromptTemplate":
    """A shipped template, or one from a file; with ``tasks`` also from a task file of
    lm-evaluation-harness."""
    from lmlab.text.harness import is_task, read_task
    from lmlab.text.templates import PromptTemplate
    from lmlab.text.wordings import shipped_template

    path = Path(name)
    if not path.is_file():
        return shipped_template(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error
    return read_task(text) if tasks and is_task(text) else PromptTemplate.parse(text)
