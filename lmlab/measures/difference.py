"""Difference of surprisal between two models, token by token."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=110,
    key="difference",
    label="difference",
    about="Surprisal under the first model minus that under the second: positive where the first "
    "is more surprised.",
    formula="−log₂ p₁(x_{i}) + log₂ p₂(x_{i})",
    unit="bits",
    value=Of("logprob", times=1 / math.log(2), gap=True),
    pair=True,
    edges=(-4, -2, -1, -0.25, 0.25, 1, 2, 4),
    labels=("≤ −4", "−4", "−2", "−1", "0", ".25", "1", "2", "≥ 4"),
    diverging=True,
    name="difference_bits",
)
