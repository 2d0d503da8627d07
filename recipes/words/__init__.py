"""Reads the word lists of this folder; knows nothing of tasks or formats."""

from functools import cache
from importlib import resources


@cache
def rows(name: str, width: int) -> tuple[tuple[str, ...], ...]:
    """The rows of ``name``.txt as tuples of ``width`` fields, missing ones empty."""
    text = (resources.files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    cells = [line.split("|") for line in lines]
    return tuple(tuple(row + [""] * (width - len(row))) for row in cells)


@cache
def nouns() -> tuple[tuple[str, str, str, str], ...]:
    """(word, German, category, plural) for every noun."""
    return tuple((w, g, c, p or w + "s") for w, g, c, p in rows("nouns", 4))


@cache
def verbs() -> tuple[tuple[str, str, str], ...]:
    """(verb, German, past tense) for every verb."""
    return tuple((v, g, p or _regular_past(v)) for v, g, p in rows("verbs", 3))


@cache
def adjectives() -> tuple[tuple[str, str, str, str], ...]:
    """(adjective, German, opposite, comparative or empty) for every adjective."""
    return tuple((a, g, o, c) for a, g, o, c in rows("adjectives", 4))


@cache
def pairs(task: str) -> tuple[tuple[str, str], ...]:
    """The (input, output) pairs listed for ``task``."""
    return tuple((x, y) for name, x, y in rows("pairs", 3) if name == task)


@cache
def common(kind: str = "") -> tuple[str, ...]:
    """Further common words: all of them, or the nouns (``n``) or verbs (``v``) alone."""
    return tuple(word for word, kinds in rows("common", 2) if kind in kinds)


def _regular_past(verb: str) -> str:
    return verb + ("d" if verb.endswith("e") else "ed")
