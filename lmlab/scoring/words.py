"""A scored text by words: the surprisal of a word is the sum of its tokens'. Plain values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import TokenScore


@dataclass(frozen=True, slots=True)
class Word:
    """A word with what stands to it: punctuation, and the white space before it."""

    text: str  # its characters without white space around; an end token's name
    start: int  # first character, counted in the scored text
    end: int  # one past the last
    logprob: float | None  # ln p of its tokens, in nats; None where one of them was not scored
    n_tokens: int

    @property
    def bits(self) -> float | None:
        """Its surprisal, −log₂ p."""
        return None if self.logprob is None else -self.logprob / math.log(2)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; surprisal in bits."""
        known = self.bits is not None and math.isfinite(self.bits)
        return {
            "word": self.text,
            "start": self.start,
            "end": self.end,
            "surprisal": self.bits if known else None,
            "n_tokens": self.n_tokens,
        }


def words(scored: Scored) -> tuple[Word, ...]:
    """The words of a scored text, divided by white space; a scored end token comes last, by itself.

    Words that share a token are one.
    """
    text, groups = scored.text, list[list[TokenScore]]()
    waiting: list[TokenScore] = []
    for token in scored.tokens:
        ends = token.start == token.end == len(text) and bool(text)
        if ends or _opens(text, token) or (not groups and _inside(text, token)):
            groups.append([*waiting, token])
            waiting = []
        elif groups and _inside(text, token):
            groups[-1] += [*waiting, token]
            waiting = []
        else:
            waiting.append(token)
    if waiting:
        # White space at the end belongs to the last word, as nothing comes after it.
        groups = [*groups[:-1], [*(groups[-1] if groups else []), *waiting]]
    return tuple(_word(text, group) for group in groups)


def _opens(text: str, token: TokenScore) -> bool:
    """Whether the first character of a word is among those that a token completes."""
    inside = text[token.start : token.end]
    bare = inside.lstrip()
    place = token.end - len(bare)
    return bool(bare) and (place == 0 or text[place - 1].isspace())


def _inside(text: str, token: TokenScore) -> bool:
    """Whether a token goes on in a word: it completes some of it, or holds a part of a character
    that is not the word's first."""
    if text[token.start : token.end].strip():
        return True
    within = token.start == token.end and 0 < token.start < len(text)
    return within and not text[token.start - 1].isspace() and not text[token.start].isspace()


def _word(text: str, tokens: Sequence[TokenScore]) -> Word:
    start, end = tokens[0].start, tokens[-1].end
    bare = text[start:end]
    start += len(bare) - len(bare.lstrip())
    known = [token.logprob for token in tokens if token.logprob is not None]
    whole = len(known) == len(tokens)
    return Word(
        text=bare.strip() or tokens[-1].text,
        start=min(start, end),
        end=max(min(start, end), end - (len(bare) - len(bare.rstrip()))),
        logprob=math.fsum(known) if whole else None,
        n_tokens=len(tokens),
    )
