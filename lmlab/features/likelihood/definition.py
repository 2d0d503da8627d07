"""The definition of perplexity written out with a text's own numbers, as escaped HTML.

The lecture's letters: the prefix is x_{1:t}, the text x_{t+1:t+L}.
"""

import math
from collections.abc import Callable
from html import escape

from lmlab.numbers import from_log, large, probability, signed
from lmlab.palette import visible
from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import TokenScore

FIRST, LAST = 4, 2

TEXT = "<i>x</i><sub><i>t</i>+1:<i>t</i>+<i>L</i></sub>"
PREFIX = "<i>x</i><sub>1:<i>t</i></sub>"
TOKEN = "<i>x</i><sub><i>t</i>+<i>i</i></sub>"
BEFORE = "<i>x</i><sub>1:<i>t</i>+<i>i</i>−1</sub>"
WHOLE = f"<i>P</i>({TEXT} | {PREFIX})"
FACTOR = f"<i>P</i>({TOKEN} | {BEFORE})"


def definition(scored: Scored, *, several: bool = False) -> str:
    """Product of the conditionals, its root, and the mean of the logs."""
    n = scored.n_tokens
    if not n:
        return no_definition("With no scored token there is no product to write out.")
    whole = from_log(scored.logprob)
    steps = (
        ("The text's likelihood is a product of conditionals",
         f"{WHOLE} = {_over('∏', 'L')} {FACTOR}",
         f"= {_terms(scored, _product, '·')} = <b>{whole}</b>"),
        ("Perplexity is its root, turned over",
         f"PP = {WHOLE}<sup>−1/<i>L</i></sup>",
         f"= ({whole})<sup>−1/{n:,}</sup> = <b>{large(scored.perplexity)}</b>"),
        ("In logs the root becomes a mean",
         f"ln PP = −{_fraction('1', '<i>L</i>')} {_over('∑', 'L')} ln {FACTOR}",
         f"= −{_fraction('1', f'{n:,}')} ({_terms(scored, _log, '+')}) = "
         f"{_fraction(signed(-scored.logprob, 2), f'{n:,}')} = "
         f"<b>{signed(scored.log_perplexity, 4)}</b> nats"),
        ("and exp takes it back",
         "PP = exp(ln PP)",
         f"= exp({signed(scored.log_perplexity, 4)}) = <b>{large(scored.perplexity)}</b>"),
    )  # fmt: skip
    rows = "".join(
        f'<div class="step"><p>{title}</p>'
        f'<div class="maths">{left} <span class="nums">{right}</span></div></div>'
        for title, left, right in steps
    )
    return (
        f'<div class="lm-definition" role="group" aria-label="Definition with numbers">{rows}</div>'
    )


def no_definition(reason: str = "Score a text to see it worked out.") -> str:
    """A line in place of the formulas."""
    return f'<div class="lm-definition none"><p>{escape(reason)}</p></div>'


def _terms(scored: Scored, show: Callable[[TokenScore], str], sign: str) -> str:
    """The first terms and the last, each above its token, with dots for the rest."""
    joint = f' <span class="op">{sign}</span> '
    tokens, n = scored.tokens, scored.n_tokens
    first = len(tokens) - n
    if n <= FIRST + LAST + 1:
        return joint.join(_term(token, show) for token in tokens[first:])
    head = [_term(token, show) for token in tokens[first : first + FIRST]]
    tail = [_term(token, show) for token in tokens[-LAST:]]
    hidden = n - FIRST - LAST
    dots = f'<span class="dots" title="{hidden:,} more">…</span>'
    return joint.join([*head, dots, *tail])


def _term(token: TokenScore, show: Callable[[TokenScore], str]) -> str:
    name = visible(token.text)
    name = name.replace(" ", "␣") if name.strip() != name or not name else name
    short = name if len(name) <= 14 else name[:13] + "…"
    return (
        f'<span class="term"><span>{show(token)}</span>'
        f'<small dir="auto">{escape(short)}</small></span>'
    )


def _product(token: TokenScore) -> str:
    return probability(math.exp(token.logprob or 0.0))


def _log(token: TokenScore) -> str:
    return signed(token.logprob or 0.0, 2)


def _over(sign: str, upper: str) -> str:
    return (
        f'<span class="big"><span><i>{upper}</i></span><span class="sign">{sign}</span>'
        "<span><i>i</i>=1</span></span>"
    )


def _fraction(top: str, bottom: str) -> str:
    return f'<span class="frac"><span>{top}</span><span>{bottom}</span></span>'
