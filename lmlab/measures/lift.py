"""Lift: what the context did for a token, beyond how often it stands in the text.

The mean over a text is the text's empirical entropy of order zero minus its log-perplexity.
"""

import numpy as np

from lmlab.measures import Column, Columns, Measure


def value(columns: Columns) -> Column:
    """ln p(x_i | x_{<i}) − ln p(x_i), the latter under the unigram of the scored tokens."""
    known = ~np.isnan(columns["logprob"])
    _, places, counts = np.unique(columns["id"], return_inverse=True, return_counts=True)
    if not known.all():
        counts = np.bincount(places[known], minlength=len(counts))
    with np.errstate(divide="ignore"):  # what stands unscored alone is counted nowhere
        unigram = np.log(counts[places] / max(1, known.sum()))
    lift: Column = columns["logprob"] - unigram
    return lift


MEASURE = Measure(
    order=70,
    key="lift",
    label="lift",
    about="Log-probability of the token minus the log of its share among the text's own scored "
    "tokens: positive where the model knew more than how often the token stands here.",
    formula="ln p(x_{i} | x_{<i}) − ln p̂(x_{i}), p̂ the text’s own unigram",
    unit="nats",
    value=value,
    needs=("logprob", "id"),
    edges=(4, 2, 1, 0.25, -0.25, -1, -2, -4),
    labels=("≥ 4", "4", "2", "1", "0", "−.25", "−1", "−2", "≤ −4"),
    diverging=True,
    name="lift_nats",
    receipt="each - (torch.bincount(y)[y].double() / len(y)).log()",
)
