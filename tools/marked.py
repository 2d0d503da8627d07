"""A part of a document that a program writes, between two marks."""

from pathlib import Path


def between(document: str, begin: str, end: str, text: str) -> str:
    """A document with another text between its two marks.

    >>> between("a [x] b", "[", "]", "y")
    'a [y] b'

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = document.split(begin, 1)
    _, after = rest.split(end, 1)
    return f"{before}{begin}{text}{end}{after}"


def rewrite(path: Path, begin: str, end: str, text: str) -> None:
    """The same, of a file."""
    document = path.read_text(encoding="utf-8")
    path.write_text(between(document, begin, end, text), encoding="utf-8")
