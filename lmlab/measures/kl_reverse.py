"""Divergence of the first model from the second at a position (Kullback and Leibler 1951)."""

import math

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=130,
    key="kl_reverse",
    label="KL(2‖1)",
    about="Bits lost on what the second model expects by coding it with the first.",
    formula="Σ p₂ log₂ p₂ / p₁",
    unit="bits",
    value=Of("kl_reverse", times=1 / math.log(2)),
    pair=True,
    edges=(0.01, 0.03, 0.1, 0.3, 0.6, 1, 2, 4),
    labels=("0", ".01", ".03", ".1", ".3", ".6", "1", "2", "≥ 4"),
    name="kl_reverse_bits",
)
