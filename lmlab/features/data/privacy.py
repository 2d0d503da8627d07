"""E-mail addresses and telephone numbers: found by pattern, in time linear in the text.

Every repetition is bounded and every alternative begins where no letter or digit stands before, so
that no text makes the search slow. Patterns understand nothing: they miss ‘name at example dot org’
and take some other numbers for telephone numbers.
"""

import re
from collections.abc import Callable

from lmlab.features.data.findings import Found, FoundKind

EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,6}[^\W\d_]{2,24}(?![\w-])"
)
# International with + and spaces, or + and digits alone; North American; its last seven digits;
# and with the leading zero of most other countries.
PHONE = re.compile(
    r"(?<![\w+])(?<!\d[.,/-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(0\) ?\d{1,5})?(?:[ .\-/]\(?\d{1,8}\)?){1,6}"
    r"|\+\d{8,15}"
    r"|(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"
    r"|\d{3}-\d{4}"
    r"|\(?0\d{1,5}\)?(?: ?[/-] ?|[ .])\d{2,8}(?:[ .-]\d{2,8}){0,4}"
    r")(?![\w]|[.,]\d)"
)
DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}")
FEWEST, MOST = 7, 15  # digits of a number (ITU-T E.164 allows 15)


def find(text: str) -> tuple[Found, ...]:
    """What looks like an e-mail address or a telephone number, in order, without overlaps."""
    emails = _all(text, EMAIL, "e-mail", lambda _: True)
    taken = {place for one in emails for place in range(one.start, one.end)}
    phones = [one for one in _all(text, PHONE, "phone", _is_phone) if one.start not in taken]
    return tuple(sorted([*emails, *phones], key=lambda one: one.start))


def _all(
    text: str, pattern: re.Pattern[str], kind: FoundKind, fits: Callable[[str], bool]
) -> list[Found]:
    return [Found(kind, *m.span()) for m in pattern.finditer(text) if fits(m[0])]


def _is_phone(match: str) -> bool:
    digits = sum(char.isdigit() for char in match)
    return FEWEST <= digits <= MOST and not DATE.fullmatch(match)
