"""The key figures of a result, and the definition of perplexity with a text's own numbers, as HTML.

The lecture's letters: the prefix is x_{1:t}, the text x_{t+1:t+L}.
"""

import math
from collections import Counter

from lmlab.measures import measure
from lmlab.palette import visible
from lmlab.parts.html import html
from lmlab.parts.strip import same_tokens
from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import TokenScore

HTML = "features/likelihood/views"
FIRST, LAST = 4, 2  # terms of a product that are written out


def figures(*runs: Scored) -> str:
    """All cards: of one result or of two, the second's number below the first's; of none, cards
    that wait for numbers."""
    alike = len(runs) < 2 or same_tokens(*runs)
    likelihoods = [run.logprob if run.n_tokens else math.nan for run in runs]
    bars = _histogram(runs[0]) if runs and runs[0].n_tokens else []
    return html(HTML, "figures", runs, alike, likelihoods, bars)


def _histogram(scored: Scored) -> list[tuple[int, float, str]]:
    """For each colour of surprisal how many tokens have it, that as a share of the most frequent
    one's, and from how many bits on."""
    surprisal = measure("surprisal")
    levels = Counter(map(surprisal.level, scored.measured(surprisal.key)[scored.tokens.known]))
    most = max([*levels.values(), 1])
    return [(levels[i], levels[i] / most, label) for i, label in enumerate(surprisal.labels)]


def definition(scored: Scored | None = None) -> str:
    """Product of the conditionals, its root, and the mean of the logs; or why there is none."""
    n = scored.n_tokens if scored else 0
    if scored is None or not n:
        wait = "Score a text to see it worked out."
        none = "With no scored token there is no product to write out."
        return html(HTML, "no_definition", none if scored else wait)
    tokens, first = scored.tokens, len(scored.tokens) - n
    short = n <= FIRST + LAST + 1
    head, tail = tokens[first : first + FIRST], tokens[-LAST:]
    shown = tokens[first:] if short else [*head, None, *tail]
    terms = [one and (one.logprob or 0.0, _name(one)) for one in shown]
    return html(HTML, "definition", scored, terms, n - FIRST - LAST)


def _name(token: TokenScore) -> str:
    name = visible(token.text)
    name = name.replace(" ", "␣") if name.strip() != name or not name else name
    return name if len(name) <= 14 else name[:13] + "…"
