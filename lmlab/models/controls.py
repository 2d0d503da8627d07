"""Control tokens in a text: what a tokenizer reads as its own sign where somebody typed words."""

import re
from collections.abc import Callable, Iterable, Sequence

from lmlab.models.tokens import Vocabulary

NAMED = 3  # rows named in a sentence
MANY = {"Query": "queries"}


def finder(vocabulary: Vocabulary) -> Callable[[Iterable[str]], str]:
    """Gives the first control token that stands in one of some texts; empty for none."""
    added = vocabulary.tokenizer.added_tokens_decoder.values()
    known = sorted((str(one) for one in added if one.special and str(one)), key=len, reverse=True)
    if not known:
        return lambda texts: ""
    found = re.compile("|".join(map(re.escape, known)))

    def first(texts: Iterable[str]) -> str:
        return next((match[0] for text in texts if (match := found.search(text))), "")

    return first


def said(rows: Sequence[tuple[int, str]], what: str = "Row") -> tuple[str, ...]:
    """A sentence about rows, each with its number and the control token in it; none without rows.

    >>> said([(4, "</s>")])
    ('Row 4 holds ‘</s>’: the tokenizer reads that as a control token, not as text.',)
    """
    if not rows:
        return ()
    numbers = ", ".join(str(number) for number, _ in rows[:NAMED])
    more = " and others" if len(rows) > NAMED else ""
    which = f"{what} {numbers} holds"
    if len(rows) > 1:
        several = MANY.get(what, f"{what.lower()}s")
        which = f"{len(rows):,} {several} ({numbers}{more}) hold control tokens, such as"
    return (f"{which} ‘{rows[0][1]}’: the tokenizer reads that as a control token, not as text.",)
