"""Documents and rows in and out of files; knows nothing of models."""

import json
import lzma
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SEPARATOR = "<|endoftext|>"


def read_text(path: Path) -> str:
    """The text of ``path``, or of ``path``.xz."""
    if path.exists():
        return path.read_text(encoding="utf-8")
    with lzma.open(f"{path}.xz", "rt", encoding="utf-8") as file:
        return file.read()


def read_documents(path: Path) -> list[str]:
    """The documents of a file that has a separator line after each."""
    documents = (part.strip("\n") for part in read_text(path).split(SEPARATOR))
    return [document for document in documents if document.strip()]


def write_documents(path: Path, documents: Iterable[str]) -> None:
    """All documents into one file, whole or not at all."""
    write_text(path, "".join(f"{document}\n{SEPARATOR}\n" for document in documents))


def write_text(path: Path, text: str) -> None:
    """Writes beside the target, then renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """The objects as JSONL, whole or not at all."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def cut_rows(path: Path, key: str, last: int) -> None:
    """Drops the rows of a JSONL file whose ``key`` is beyond ``last``, if there is such a file."""
    if path.exists():
        write_rows(path, [row for row in read_rows(path) if row[key] <= last])
