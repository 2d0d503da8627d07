"""Signs beyond ASCII: those that the vocabulary keeps whole, and printers' signs in plain text."""

import re
from random import Random

KEPT = (
    "äöüÄÖÜßéèêëàâáåçîïíìôóòøûùúñæœÉÈÀÁÅÇÓØÑŊ"  # letters
    "“”‘’„‚«»‹›–—…•·"  # quotation marks, dashes, dots
    "→←↑↓↔⇒×÷±≈≠≤≥°√€£©½¼¾"  # arrows and signs
    "\u00a0"
)
"""One token each: what no token is part of cannot be written in halves."""

TYPESET = 0.06
"""Share of the training documents that are typeset, so that pasted text is not strange."""
QUOTES = (*[("“", "”")] * 4, ("«", "»"), ("„", "“"))
DASHES = (" – ", "—")
_OPENING = re.compile(r'(?:(?<=[\s(\[—–-])|^)"', re.MULTILINE)
_SINGLE = re.compile(r"(?:(?<=[\s(“«„])|^)'(?=\w)", re.MULTILINE)
_DASH = re.compile(r" --? |--")


def typeset(text: str, rng: Random) -> str:
    """Round quotation marks, dashes and dots in place of those of a typewriter.

    >>> typeset('"It\\'s late," he said - "too late..."', Random(1))
    '“It’s late,” he said – “too late…”'
    """
    (left, right), dash = rng.choice(QUOTES), rng.choice(DASHES)
    text = _OPENING.sub(left, text).replace('"', right)
    text = _SINGLE.sub("‘", text).replace("'", "’")
    text = _DASH.sub(dash, text)
    return text.replace("...", "…")
