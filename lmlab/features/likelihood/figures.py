"""The key figures of a result as escaped HTML: one large card, small ones beside it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from lmlab.measures import measure
from lmlab.numbers import large, signed
from lmlab.parts.strip import same_tokens
from lmlab.scoring.scored import Scored


@dataclass(frozen=True, slots=True)
class Figure:
    """One card."""

    name: str  # the field's term
    letters: str  # the lecture's
    unit: str  # of the number
    why: str  # one line of explanation
    show: Callable[[Scored], str]  # the number of a result
    per_token: bool = False  # whether it compares only between models with the same tokens
    half: bool = False  # whether two stand side by side


FIGURES = (
    Figure(
        "perplexity",
        "PP",
        "",
        "As unsure as a fair choice among this many tokens, at every step. Lower is better.",
        lambda run: large(run.perplexity),
        per_token=True,
    ),
    Figure(
        "log-perplexity",
        "ln PP",
        "nats a token",
        "Mean surprisal: minus the log-likelihood, divided by the number of tokens L.",
        lambda run: signed(run.log_perplexity, 3),
        per_token=True,
    ),
    Figure(
        "log-likelihood",
        "ln P",
        "nats",
        "The sum of ln p over all scored tokens: how likely the model finds the text as a whole.",
        lambda run: signed(run.logprob if run.n_tokens else float("nan"), 1),
    ),
    Figure(
        "bits per byte",
        "",
        "bits",
        "Minus the log-likelihood in bits, divided by the text's UTF-8 bytes. Compares models "
        "whatever their tokens.",
        lambda run: signed(run.bits_per_byte, 3),
    ),
    Figure(
        "tokens",
        "L",
        "",
        "How many tokens of the text have a probability.",
        lambda run: f"{run.n_tokens:,}",
        half=True,
    ),
    Figure(
        "UTF-8 bytes",
        "",
        "",
        "Length of the scored text in bytes; the same for every model.",
        lambda run: f"{run.n_bytes:,}",
        half=True,
    ),
)


def figures(scored: Scored, other: Scored | None = None) -> str:
    """All cards; with a second model its number stands below the first's."""
    alike = other is None or same_tokens(scored, other)
    cards = "".join(_card(figure, scored, other, alike) for figure in FIGURES)
    if scored.n_tokens:
        cards += _histogram(scored)
    return f'<div class="lm-figures" role="group" aria-label="Key figures">{cards}</div>'


def no_figures() -> str:
    """Cards that wait for numbers."""
    cards = "".join(
        f'<div class="lm-fig{_size(figure)} wait"><div class="v">–</div>{_label(figure)}</div>'
        for figure in FIGURES
    )
    return f'<div class="lm-figures" aria-hidden="true">{cards}</div>'


def _card(figure: Figure, scored: Scored, other: Scored | None, alike: bool) -> str:
    unit = f" <small>{figure.unit}</small>" if figure.unit else ""
    name, second = "", ""
    if other is not None:
        star = "" if alike or not figure.per_token else " *"
        model = escape(other.model)
        second = (
            f'<div class="second" title="{model}"><b>{figure.show(other)}{star}</b> {model}</div>'
        )
        if figure is FIGURES[0]:
            name = f'<div class="who">{escape(scored.model)}</div>'
    why = escape(figure.why)
    if not alike and figure.per_token:
        why += " * Not comparable here: the two models have different tokens."
    name = (
        f'<div class="who">{escape(scored.model)}</div>' if other and figure is FIGURES[0] else ""
    )
    return (
        f'<div class="lm-fig{_size(figure)}" tabindex="0">{name}'
        f'<div class="v">{figure.show(scored)}{unit}</div>{_label(figure)}{second}'
        f'<div class="why" role="tooltip">{why}</div></div>'
    )


def _label(figure: Figure) -> str:
    letters = f" <var>{figure.letters}</var>" if figure.letters else ""
    return f'<div class="l">{figure.name}{letters}</div>'


def _size(figure: Figure) -> str:
    return " big" if figure is FIGURES[0] else " half" if figure.half else ""


def _histogram(scored: Scored) -> str:
    """How many tokens have each colour of surprisal."""
    surprisal = measure("surprisal")
    levels = Counter(map(surprisal.level, scored.measured(surprisal.key)[scored.tokens.known]))
    counts = [levels[i] for i in range(len(surprisal.labels))]
    most = max(*counts, 1)
    bars = "".join(
        f'<i class="b{i}" style="height:{100 * n / most:.0f}%" title="{n:,} tokens from '
        f'{surprisal.labels[i]} bits"></i>'
        for i, n in enumerate(counts)
    )
    ticks = "".join(f"<span>{label}</span>" for label in surprisal.labels)
    return (
        '<div class="lm-fig lm-hist"><div class="l">tokens by surprisal, bits</div>'
        f'<div class="bars" aria-hidden="true">{bars}</div><div class="ticks">{ticks}</div></div>'
    )
