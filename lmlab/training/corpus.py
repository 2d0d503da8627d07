"""A text as documents in two parts: what is learned from, and what is held out. Knows no torch."""

from collections.abc import Sequence
from random import Random

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.training.sets import PLAIN, TuningData

SEPARATOR = "<|endoftext|>"
HELD_OUT = 0.1
LOOKED_AT = 20_000  # characters of the held-out text that are read at each look
FEWEST_CHARS = 2_000
# From so many documents on some are held out by chance; of fewer, the end of the text is.
MANY = 20
BLOCK, LONG_BLOCK = 600, 1500  # characters after which a text without separators is cut
NAMES = ("stories", "plays")  # that ship


def shipped_corpus(name: str) -> TuningData:
    """A text that ships, in two parts. Raises InputError: there is none of that name."""
    if name not in NAMES:
        raise InputError(
            f"There is no text named ‘{name[:60]}’.", f"There are: {', '.join(NAMES)}."
        )
    path = assets_dir() / "corpora" / "pretraining" / f"{name}.txt"
    return corpus(path.read_text(encoding="utf-8"), name, "shipped")


def corpus(text: str, name: str, origin: str = "upload", *, limit: int | None = None) -> TuningData:
    """Documents of a text in two parts, about a tenth of it held out.

    A line ``<|endoftext|>`` stands after each document; a text without such a line is cut between
    paragraphs. Raises InputError: shorter than can be learned from, longer than ``limit``
    characters, or not valid Unicode.
    """
    if limit is not None and len(text) > limit:
        raise InputError(
            f"The text has {len(text):,} characters; at most {limit:,} are read.",
            "Give a shorter part of it.",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("The text holds half of a surrogate pair.", "Save it as UTF-8.") from None
    return corpus_of(documents_of(text), name, origin)


def corpus_of(documents: Sequence[str], name: str, origin: str = "upload") -> TuningData:
    """The same for documents that are apart already. Raises InputError: too little text."""
    size = sum(map(len, documents))
    if size < FEWEST_CHARS:
        raise InputError(
            f"The text has {size:,} characters; that is too few to learn from.",
            f"Give at least {FEWEST_CHARS:,}; some hundred thousand are better.",
        )
    train, valid = _by_chance(documents) if len(documents) >= MANY else _tail(documents, size)
    rows = [tuple({PLAIN: document} for document in part) for part in (train, valid)]
    return TuningData(name, rows[0], rows[1], origin)


def documents_of(text: str) -> list[str]:
    """The documents of a text, line ends as one character, none of them empty."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    parts = [part.strip("\n") for part in plain.split(SEPARATOR)]
    found = [part for part in parts if part.strip()]
    return _blocks(found[0]) if len(found) == 1 else found


def _blocks(text: str) -> list[str]:
    """One long text as several, cut between paragraphs or else between lines, so that a model sees
    more than one beginning."""
    found: list[str] = []
    lines: list[str] = []
    size = 0
    for line in text.split("\n"):
        lines.append(line)
        size += len(line) + 1
        if size >= LONG_BLOCK or (size >= BLOCK and not line.strip()):
            found.append("\n".join(lines).strip("\n"))
            lines, size = [], 0
    found.append("\n".join(lines).strip("\n"))
    return [block for block in found if block.strip()]


def texts(data: TuningData, part: str = "train") -> list[str]:
    """The documents of one part."""
    return [row[PLAIN] for row in getattr(data, part)]


def first_chars(documents: Sequence[str], size: int) -> list[str]:
    """The first documents, of about so many characters together, at least one; cut at the end."""
    found: list[str] = []
    left = size
    for document in documents:
        if left <= 0:
            break
        found.append(document[:left])
        left -= len(document)
    return found


def _by_chance(documents: Sequence[str]) -> tuple[list[str], list[str]]:
    count = max(1, round(len(documents) * HELD_OUT))
    chosen = set(Random(0).sample(range(len(documents)), count))
    held = [documents[i] for i in sorted(chosen)]
    return [one for i, one in enumerate(documents) if i not in chosen], held


def _tail(documents: Sequence[str], size: int) -> tuple[list[str], list[str]]:
    """The last tenth of the characters, cut after a line or a word where one ends near by."""
    left = round(size * (1 - HELD_OUT))
    train, valid = [], []
    for document in documents:
        if left >= len(document):
            train.append(document)
        elif left <= 0:
            valid.append(document)
        else:
            cut = _cut(document, left)
            train.append(document[:cut])
            valid.append(document[cut:].lstrip())
        left -= len(document)
    return [one for one in train if one], [one for one in valid if one]


def _cut(text: str, place: int) -> int:
    near = max(1, place - 400)
    for mark in ("\n", " "):
        found = text.rfind(mark, near, place)
        if found > 0:
            return found + 1
    return place
