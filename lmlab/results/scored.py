"""What scoring gives back: frozen results of plain Python values. No torch, no models, no page.

All log-probabilities and entropies are natural logarithms (nats); spans count characters.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

WindowMode = Literal["disjoint", "sliding"]


class Alternative(NamedTuple):
    """A token that the model thought possible at a position. There are ten for every token of a
    text, and a named tuple is made in a third of the time of a dataclass."""

    id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token of a scored text.

    Attributes:
        id: the token's id in the vocabulary.
        text: what it shows as: the characters it completes, or its bytes as ``⟨F0 9F⟩`` where it
            holds only a part of a character.
        start: first character it completes, counted in ``Scored.text``.
        end: one past the last; equal to ``start`` when it completes none.
        logprob: ln p(token | everything before), or None when it was not scored.
        rank: 1 for the model's favourite, or None.
        entropy: of the model's distribution at this position, in nats, or None.
        top: the likeliest tokens at this position, best first.
    """

    id: int
    text: str
    start: int
    end: int
    logprob: float | None
    rank: int | None
    entropy: float | None
    top: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Windowing:
    """How a text longer than the model's context was cut, and into how many windows."""

    mode: WindowMode
    stride: int
    count: int


@dataclass(frozen=True)
class Scored:
    """A text as a model sees it, token by token.

    ``prefix + text`` is what was given. Where a token spans the border between the two, or the
    prefix ends in white space, the border lies before that token, and ``moved`` holds the
    characters that went from the given prefix to the scored text.

    Attributes:
        model: display name of the model.
        text: the scored characters, tiled exactly by the tokens' spans.
        prefix: the characters conditioned on (the lecture's x_{1:t}).
        tokens: in order; only the first can be unscored.
        moved: the end of the given prefix that was scored with the text.
        context: what stood before the first token, as display strings (for instance BOS).
        windowing: None when the text fitted the model's context.
        limit: positions that the model reads at once, the model's context; None where not known.
        unknown: scored tokens that stand for characters which the tokenizer has no token of.
        notes: what a reader has to know of how the model was loaded and is run, in sentences.
    """

    model: str
    text: str
    prefix: str
    tokens: tuple[TokenScore, ...]
    moved: str = ""
    context: tuple[str, ...] = ()
    windowing: Windowing | None = None
    limit: int | None = None
    unknown: int = 0
    notes: tuple[str, ...] = ()

    @property
    def scored_tokens(self) -> Iterator[TokenScore]:
        """The tokens that have a log-probability."""
        return (token for token in self.tokens if token.logprob is not None)

    @property
    def first_unscored(self) -> bool:
        """Whether the first token had nothing before it and so carries no score."""
        return bool(self.tokens) and self.tokens[0].logprob is None

    @property
    def n_tokens(self) -> int:
        """Number of scored tokens, the lecture's L."""
        return sum(1 for _ in self.scored_tokens)

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the scored characters."""
        skipped = self.tokens[0].end if self.first_unscored else 0
        return len(self.text[skipped:].encode())

    @property
    def logprob(self) -> float:
        """Log-likelihood: the sum of the tokens' log-probabilities, in nats."""
        return math.fsum(token.logprob or 0.0 for token in self.tokens)

    @property
    def log_perplexity(self) -> float:
        """Mean surprisal in nats, −logprob / n_tokens; NaN when nothing was scored."""
        n = self.n_tokens
        return -self.logprob / n if n else math.nan

    @property
    def perplexity(self) -> float:
        """exp(log_perplexity): the number of equally likely choices that would surprise as much."""
        value = self.log_perplexity
        return math.inf if value >= 700 else math.exp(value)

    @property
    def bits_per_byte(self) -> float:
        """−logprob / (ln 2 · n_bytes): comparable between models with different tokenizers.

        NaN where a token is unknown: it says nothing of the bytes that it stands for.
        """
        n = self.n_bytes
        return -self.logprob / (math.log(2) * n) if n and not self.unknown else math.nan

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; NaN and infinities become None."""
        return {
            "model": self.model,
            "text": self.text,
            "prefix": self.prefix,
            "tokens": [_token_dict(token) for token in self.tokens],
            "logprob": _finite(self.logprob),
            "log_perplexity": _finite(self.log_perplexity),
            "perplexity": _finite(self.perplexity),
            "bits_per_byte": _finite(self.bits_per_byte),
            "n_tokens": self.n_tokens,
            "n_bytes": self.n_bytes,
            "n_unknown": self.unknown,
            "bos": list(self.context),
            "moved": self.moved,
            "context": self.limit,
            "windows": asdict(self.windowing) if self.windowing else None,
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        from lmlab.parts.strip import to_html

        html: str = to_html(self)
        return html


@dataclass(frozen=True, slots=True)
class Loading:
    """What is being done to have a model at hand, in words."""

    message: str


@dataclass(frozen=True, slots=True)
class Scoring:
    """Progress of a scoring run, in tokens."""

    done: int
    total: int


def _token_dict(token: TokenScore) -> dict[str, Any]:
    return {
        "id": token.id,
        "text": token.text,
        "start": token.start,
        "end": token.end,
        "logprob": None if token.logprob is None else _finite(token.logprob),
        "rank": token.rank,
        "entropy": token.entropy,
        "top": [{"id": a.id, "text": a.text, "logprob": _finite(a.logprob)} for a in token.top],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def bits_per_byte(scored: Sequence[Scored]) -> float:
    """−Σ log-likelihood / (ln 2 · Σ bytes) over several texts, in bits; NaN without a byte, and
    where a token is unknown."""
    size = 0 if any(one.unknown for one in scored) else sum(one.n_bytes for one in scored)
    return -math.fsum(one.logprob for one in scored) / (math.log(2) * size) if size else math.nan
