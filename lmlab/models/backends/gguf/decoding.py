"""Rows that go on in a context of llama.cpp: from a prompt, or from what many texts begin with; and
whether a model reads rows side by side as it reads each alone. Knows ids and logits, not text.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmlab.models.backends.gguf.engine import Session
from lmlab.models.decoding import Decoder, SharedPrefix, going_on
from lmlab.progress import Reading

ROWS = 8  # texts that are read side by side
GOES_ON = 256  # positions that a row may go on by before there must be more room
NEAR = 1e-2  # nats that two ways of reading may differ by


@dataclass
class Past:
    """A context whose row 0 has read what others begin with."""

    session: Session

    def widened(self, rows: int) -> "Past":
        """The same: rows are made when they are read."""
        return self

    def fill(self, rows: int) -> None:
        """Have rows 1 to ``rows`` stand where row 0 does, and no others."""
        for row in range(1, self.session.rows):
            self.session.drop(row)
        for row in range(1, rows + 1):
            self.session.copy(0, row)


class LlamaDecoder(Decoder):
    """Rows of one length that go on in a context of their own."""

    def __init__(self, lm: Any, rows: int = 1) -> None:
        super().__init__(lm, rows)
        self._session: Session | None = None
        self._places: list[int] = []  # of the rows that go on

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        session = self._lm.session(len(ids) + GOES_ON, self._rows)
        size = session.piece
        for low in range(0, len(ids), size):
            part = ids[low : low + size]
            last = low + size >= len(ids)
            found = self._read([(0, part, int(last))], session)
            if not last:
                yield Reading(low + size, len(ids))
        for row in range(1, self._rows):
            session.copy(0, row)
        self._session, self._places = session, list(range(self._rows))
        return found.expand(self._rows, -1)

    def read_all(self, prompts: Sequence[Sequence[int]], prefix: SharedPrefix) -> Tensor:
        start, more = len(prefix.prefix), max(map(len, prompts)) - len(prefix.prefix)
        past = prefix.past(len(prompts), more) if len(prompts) <= ROWS else None
        if past is None:
            session = self._lm.session(len(prompts[0]) + GOES_ON, len(prompts))
            self._places, start = list(range(len(prompts))), 0
        else:
            session = past.session
            past.fill(len(prompts))
            self._places = list(range(1, len(prompts) + 1))
        self._session = session
        rows = zip(self._places, prompts, strict=True)
        return self._read([(row, ids[start:], 1) for row, ids in rows], session)

    def feed(self, newest: Sequence[int]) -> Tensor:
        assert self._session is not None
        rows = zip(self._places, newest, strict=True)
        return self._read([(row, [token], 1) for row, token in rows], self._session)

    def keep(self, places: Sequence[int]) -> None:
        assert self._session is not None
        kept = [self._places[place] for place in places]
        for row in set(self._places) - set(kept):
            self._session.drop(row)
        self._places = kept

    def _read(self, parts: Sequence[tuple[int, Sequence[int], int]], session: Session) -> Tensor:
        """Logits [n, V] of the wanted places."""
        asked = [parts] if self._lm.engine.beside else [[part] for part in parts]
        with going_on():
            found = [logits.clone() for some in asked for logits in session.read(some)]
        return self._checked(torch.cat(found)) if found else torch.empty(0, self._lm.width)


def causal(lm: Any, ids: Sequence[int]) -> bool:
    """Whether another last id leaves what came before it as it was."""
    one, other = (lm.rows([[*ids, last]])[0, :-1] for last in ids[:2])
    return _near(one, other)


def same_beside(lm: Any, ids: Sequence[int]) -> bool:
    """Whether rows side by side, rows after a common beginning and steps give what each text gives
    by itself."""
    texts = [[*ids, *ids], [*ids, *reversed(ids)]]
    alone = [lm.rows([text])[0] for text in texts]
    session = lm.session(len(texts[0]), 3)
    parts = [(row, text, len(text)) for row, text in enumerate(texts)]
    beside = torch.cat([logits.clone() for logits in session.read(parts)])
    past = lm.begin(ids)
    after = lm.over(torch.tensor([text[len(ids) :] for text in texts]), past)[0]
    decoder = lm.decoder()
    steps = [decoder.read(texts[0][:-2]), *(decoder.feed([i]) for i in texts[0][-2:])]
    return (
        _near(beside, torch.cat(alone))
        and _near(after, torch.stack([rows[len(ids) :] for rows in alone]))
        and _near(torch.cat(steps), alone[0][-3:])
    )


def _near(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(
        one.log_softmax(-1), other.log_softmax(-1), rtol=0, atol=NEAR, equal_nan=True
    )
