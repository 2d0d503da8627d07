"""What scoring gives back: frozen results of plain Python values. No torch, no models, no page.

All log-probabilities and entropies are natural logarithms (nats); spans count characters.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lmlab.errors import InputError
from lmlab.measures import Column, Measure, Of, measure, measures
from lmlab.models.windows import WindowMode
from lmlab.palette import visible
from lmlab.scoring import markup
from lmlab.scoring.tokens import Tokens, TokenScore


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
    """

    model: str
    text: str  # the scored characters, tiled exactly by the tokens' spans
    prefix: str  # the characters conditioned on (the lecture's x_{1:t})
    tokens: Tokens  # in order; only the first can be unscored. Any sequence of them may be given.
    moved: str = ""  # the end of the given prefix that was scored with the text
    # what stood before the first token, as display strings (for instance BOS)
    context: tuple[str, ...] = ()
    windowing: Windowing | None = None  # None when the text fitted the model's context
    # positions that the model reads at once, the model's context; None where not known
    limit: int | None = None
    unknown: int = 0  # scored tokens that stand for characters which the tokenizer has no token of
    # what a reader has to know of how the model was loaded and is run, in sentences
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.tokens, Tokens):
            object.__setattr__(self, "tokens", Tokens.of(self.tokens))

    def measured(self, key: str) -> Column:
        """A measure of each token, in its own unit; NaN where a token was not scored.

        Raises:
            InputError: there is no such measure, or it is one of two models.
        """
        found = measure(key)
        if not found.fits(self.tokens.columns):
            raise InputError(f"‘{key}’ is no measure of one text under one model.")
        return found.value(self.tokens.columns)

    @property
    def first_unscored(self) -> bool:
        """Whether the first token had nothing before it and so carries no score."""
        return bool(self.tokens) and not self.tokens.known[0]

    @property
    def n_tokens(self) -> int:
        """Number of scored tokens, the lecture's L."""
        return int(self.tokens.known.sum())

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the scored characters."""
        skipped = int(self.tokens.ends[0]) if self.first_unscored else 0
        return len(self.text[skipped:].encode())

    @property
    def logprob(self) -> float:
        """Log-likelihood: the sum of the tokens' log-probabilities, in nats."""
        return math.fsum(self.tokens.columns["logprob"][self.tokens.known].tolist())

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
            "tokens": self._token_dicts(),
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

    def _token_dicts(self) -> list[dict[str, Any]]:
        """Of each token the statistics, in nats, and the measures that are not just one of them."""
        columns = self.tokens.columns
        own = [
            (one.name, one.value(columns))
            for one in measures(columns)
            if not isinstance(one.value, Of)
        ]
        return [
            _token_dict(token) | {name: _finite(float(values[i])) for name, values in own}
            for i, token in enumerate(self.tokens)
        ]

    def _repr_html_(self) -> str:
        """The strip as escaped HTML with its own style and no script, for notebooks and export."""
        tokens, bits = self.tokens, measure("surprisal")
        values = [(one, one.value(tokens.columns)) for one in measures(tokens.columns)]
        levels = dict(values)[bits]
        spans = [
            (text, bits.level(levels[i]), self._title(i, values))
            if tokens.known[i]
            else (text, None, "not scored")
            for i, text in enumerate(tokens.texts)
        ]
        return markup.strip(scored=self, measure=bits, spans=spans, notes=remarks(self))

    def _title(self, i: int, values: Sequence[tuple[Measure, Column]]) -> str:
        """The measures of a token and its likeliest alternatives, in a line."""
        facts = [one.said(float(column[i])) for one, column in values]
        best = (f"{visible(a.text)!r} {math.exp(a.logprob):.3g}" for a in self.tokens.top.of(i, 5))
        return " · ".join([*facts, ", ".join(best)]).removesuffix(" · ")


def remarks(scored: Scored, other: Scored | None = None) -> list[str]:
    """What a reader has to know about how the text was scored, in sentences."""
    found = []
    if not scored.n_tokens:
        found.append(
            "Nothing was scored: the only token has nothing before it. Add a prefix or more text."
        )
    elif scored.first_unscored:
        found.append(
            "The first token is hatched: this model has no start token, so nothing stands before "
            "it and it has no probability."
        )
    for run in (scored, *([] if other is None else [other])):
        found += [f"{run.model}: {note}" for note in run.notes]
        if run.unknown:
            found.append(unknown_note(run))
    if scored.moved:
        found.append(
            f"The end of the prefix, “{visible(scored.moved).replace(' ', '␣')}”, is scored with "
            "the text, because a token spans the border."
        )
    if scored.windowing:
        w = scored.windowing
        found.append(
            f"Longer than the model's context: scored in {w.count} {w.mode} windows, {w.stride} "
            "new tokens each; every token is scored once."
        )
    if other is not None and not scored.tokens.alike(other.tokens):
        found.append(
            "The two models cut the text into different tokens: compare them by bits per byte, "
            "not by token or perplexity."
        )
    return found


def unknown_note(scored: Scored) -> str:
    """What unknown tokens mean for the numbers."""
    n = scored.unknown
    tokens = "1 token stands" if n == 1 else f"{n:,} tokens stand"
    return (
        f"{tokens} for characters that the tokenizer of {scored.model} does not know. Their "
        "likelihood says nothing of what is written there: the text looks better predicted than it "
        "is, and bits per byte mean nothing."
    )


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
