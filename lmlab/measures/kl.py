"""Divergence of the second model from the first at a position (Kullback and Leibler 1951)."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=120,
    key="kl",
    label="KL(1‖2)",
    about="Bits lost on what the first model expects by coding it with the second (Kullback and "
    "Leibler 1951).",
    formula="Σ p₁ log₂ p₁ / p₂",
    unit="bits",
    value=Of("kl", times=1 / math.log(2)),
    pair=True,
    edges=(0.01, 0.03, 0.1, 0.3, 0.6, 1, 2, 4),
    labels=("0", ".01", ".03", ".1", ".3", ".6", "1", "2", "≥ 4"),
    name="kl_bits",
)
