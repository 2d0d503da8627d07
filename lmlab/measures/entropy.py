"""Entropy of the next-token distribution (Shannon 1948): the surprisal that was to be expected."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=50,
    key="entropy",
    label="entropy",
    about="How unsure the model was before it saw the token: the mean surprisal of what could have "
    "come (Shannon 1948).",
    formula="H(p(· | x_{<i}))",
    unit="bits",
    value=Of("entropy", times=1 / math.log(2)),
    edges=(1, 2, 3, 4, 5, 6, 8, 10),
    labels=("0", "1", "2", "3", "4", "5", "6", "8", "≥ 10"),
    name="entropy_bits",
    receipt="-(table.exp() * table).sum(-1) / math.log(2)",
)
