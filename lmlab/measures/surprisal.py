"""Surprisal (Shannon 1948): the length of an ideal code for the token."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=20,
    key="surprisal",
    label="surprisal",
    about="How many yes-or-no questions the token answers, from what the model knew before "
    "(Shannon 1948).",
    formula="−log₂ p(x_{i} | x_{<i})",
    unit="bits",
    value=Of("logprob", times=-1 / math.log(2)),
    edges=(1, 2, 4, 6, 8, 10, 13, 16),
    labels=("0", "1", "2", "4", "6", "8", "10", "13", "≥ 16"),
    name="surprisal_bits",
)
