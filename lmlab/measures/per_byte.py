"""Difference of two models on a piece of text at whose ends tokens of both end."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=140,
    key="per_byte",
    label="difference a byte",
    about="Bits a byte by which the second model is less surprised: comparable where the models "
    "have different tokens.",
    formula="bits per byte, first model − second",
    unit="bits",
    value=Of("logprob", times=1 / math.log(2), gap=True, per="bytes"),
    pair=True,
    edges=(-2, -1, -0.5, -0.1, 0.1, 0.5, 1, 2),
    labels=("≤ −2", "−2", "−1", "−.5", "0", ".1", ".5", "1", "≥ 2"),
    diverging=True,
    name="difference_bits_per_byte",
)
