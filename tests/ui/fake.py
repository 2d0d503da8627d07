"""A lab without a model, for tests of the page: simple rules, the real result types."""

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from lmlab.errors import InputError, ModelError
from lmlab.results import Alternative, Scored, Scoring, TokenScore, Windowing
from lmlab.settings import Settings

WORDS = (" the", " a", " and", ",", ".", " was", " to", " he", " little", "\n")
TOKEN = re.compile(r" ?[^\W\d_]+| ?\d+|\n| ?[^\w\s]|\s|.", re.DOTALL)
LETTER = re.compile(r".", re.DOTALL)
NAMES = ("base", "base-early", "letters")


@dataclass(frozen=True)
class FakeLab:
    """Answers what ``lmlab.lab.Lab`` answers.

    Names: ``base`` and ``base-early`` cut words, ``letters`` cuts characters, ``nostart`` leaves
    the first token unscored. ``pause`` seconds pass before each sign of progress of a long text.
    """

    settings: Settings = field(default_factory=Settings)
    pause: float = 0.0

    def model_names(self) -> list[str]:
        return list(NAMES)

    def score(
        self, model: str, text: str, prefix: str = "", *, top_k: int = 10, windows: str = "sliding"
    ) -> Iterator[Scoring | Scored]:
        if not text:
            raise InputError("There is no text to score.", "Type at least one character.")
        if len(text) > self.settings.max_chars:
            raise InputError(f"{len(text):,} characters are too many.", "Score a shorter part.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError("That is half of a surrogate pair.", "Delete it.") from None
        if model not in (*NAMES, "nostart"):
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
        if model == "base" and text == "crash":
            raise RuntimeError("a bug")
        tokens = list(self._tokens(model, text, top_k))
        for done in range(0, len(tokens), 500):
            if len(tokens) > 1000:
                time.sleep(self.pause)
            yield Scoring(done, len(tokens))
        kept = prefix.rstrip()
        yield Scored(
            model=model,
            text=text,
            prefix=kept,
            tokens=tuple(tokens),
            moved=prefix[len(kept) :],
            context=("<s>",) if model != "nostart" else (),
            windowing=Windowing("sliding", 256, 9) if len(tokens) > 1000 else None,
        )

    def _tokens(self, model: str, text: str, top_k: int) -> Iterator[TokenScore]:
        cut = LETTER if model == "letters" else TOKEN
        at = 0
        for i, match in enumerate(cut.finditer(text)):
            piece = match[0]
            parts = _bytes(piece) if ord(piece[-1]) > 0xFFFF else [piece]
            for j, part in enumerate(parts):
                whole = j == len(parts) - 1
                end = at + len(piece) if whole else at
                yield _token(part, at, end, model, i, top_k)
            at += len(piece)


def _bytes(piece: str) -> list[str]:
    codes = [f"{byte:02X}" for byte in piece.encode()]
    return [f"⟨{' '.join(codes[:2])}⟩", f"⟨{' '.join(codes[2:])}⟩"]


def _token(text: str, start: int, end: int, model: str, i: int, top_k: int) -> TokenScore:
    identity = sum(ord(char) * 31**k for k, char in enumerate(text[:6])) % 5000 + 20
    if text in WORDS:
        identity = WORDS.index(text)
    if model == "nostart" and i == 0:
        return TokenScore(identity, text, start, end, None, None, None)
    weights = [1 / (k + 1) ** 1.3 / (3 + (i % 5)) for k in range(len(WORDS))]
    order = [(k * 3 + i) % len(WORDS) for k in range(len(WORDS))]
    top = [Alternative(order[k], WORDS[order[k]], math.log(w)) for k, w in enumerate(weights)]
    hit = next((k for k, a in enumerate(top) if a.id == identity), None)
    drift = 0.4 * math.sin(i) if model == "base-early" else 0.0
    logprob = top[hit].logprob if hit is not None else -4.5 - (identity % 90) / 12 - drift
    rank = hit + 1 if hit is not None else 11 + identity % 3000
    return TokenScore(
        identity, text, start, end, logprob, rank, 2.0 + math.sin(i), tuple(top[:top_k])
    )
