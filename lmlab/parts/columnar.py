"""What a visitor's session keeps of a result: columns of numbers instead of some 50,000 objects.

4,000 tokens with ten alternatives each take about half a megabyte this way, not several.
"""

import math
import uuid
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lmlab.results.scored import Alternative, Scored, TokenScore


@dataclass(frozen=True)
class Kept:
    """One scored text, packed; ``unpack`` gives it back.

    Attributes:
        frame: the result without its tokens.
        texts: display text by token.
        words: id and display text of every alternative, each once; a token may show as more than
            one text, by where it stands.
        columns: id, start, end, rank (0: none) and how many alternatives, by token.
        logprobs: by token; NaN where there is none. Entropies likewise.
        tops: of all alternatives, in a row, their places in ``words``; their log-probabilities
            likewise.
    """

    frame: Scored
    texts: tuple[str, ...]
    words: tuple[tuple[int, str], ...]
    columns: tuple["array[int]", ...]
    logprobs: "array[float]"
    entropies: "array[float]"
    tops: "array[int]"
    top_logprobs: "array[float]"

    @classmethod
    def pack(cls, scored: Scored) -> "Kept":
        """Keep a result."""
        tokens = scored.tokens
        tops = [a for token in tokens for a in token.top]
        words = {
            pair: place for place, pair in enumerate(dict.fromkeys((a.id, a.text) for a in tops))
        }
        rows = [(t.id, t.start, t.end, t.rank or 0, len(t.top)) for t in tokens]
        return cls(
            frame=replace(scored, tokens=()),
            texts=tuple(token.text for token in tokens),
            words=tuple(words),
            columns=tuple(array("i", column) for column in zip(*rows, strict=True)),
            logprobs=_floats(token.logprob for token in tokens),
            entropies=_floats(token.entropy for token in tokens),
            tops=array("i", [words[a.id, a.text] for a in tops]),
            top_logprobs=array("d", [a.logprob for a in tops]),
        )

    def __len__(self) -> int:
        return len(self.logprobs)

    def unpack(self) -> Scored:
        """The result as it was."""
        return replace(self.frame, tokens=self.tokens(0, len(self)))

    def tokens(self, low: int, high: int) -> tuple[TokenScore, ...]:
        """Some of its tokens, whatever the bounds."""
        low, high = max(0, low), min(len(self), high)
        if low >= high:
            return ()
        ids, starts, ends, ranks, counts = self.columns
        at = sum(counts[:low])
        found = []
        for i in range(low, high):
            top = tuple(self._alternative(j) for j in range(at, at + counts[i]))
            at += counts[i]
            found.append(
                TokenScore(
                    id=ids[i],
                    text=self.texts[i],
                    start=starts[i],
                    end=ends[i],
                    logprob=_optional(self.logprobs[i]),
                    rank=ranks[i] or None,
                    entropy=_optional(self.entropies[i]),
                    top=top,
                )
            )
        return tuple(found)

    def _alternative(self, j: int) -> Alternative:
        return Alternative(*self.words[self.tops[j]], self.top_logprobs[j])


@dataclass(frozen=True)
class Shown:
    """What a visitor's session shows: one result or two of the same text.

    Attributes:
        name: tells it from what was shown before.
        runs: the result under each model.
    """

    name: str
    runs: tuple[Kept, ...]

    @classmethod
    def pack(cls, runs: Sequence[Scored]) -> "Shown":
        """Keep results under a new name."""
        return cls(uuid.uuid4().hex[:12], tuple(Kept.pack(run) for run in runs))

    def unpack(self) -> tuple[Scored, Scored | None]:
        """The results as they were."""
        runs = [run.unpack() for run in self.runs]
        return runs[0], runs[1] if len(runs) > 1 else None


def _floats(values: Iterable[float | None]) -> "array[float]":
    return array("d", [math.nan if value is None else value for value in values])


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else value
