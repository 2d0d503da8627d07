"""Probability of the token: a factor of the text's likelihood."""

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=30,
    key="probability",
    label="probability",
    short="p",
    about="Probability that the model gave to the token; over a text they multiply to its "
    "likelihood.",
    formula="p(x_{i} | x_{<i})",
    unit="",
    value=Of("logprob", exp=True),
    edges=(0.9, 0.75, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001),
    labels=("1", ".9", ".75", ".5", ".25", ".1", ".03", ".01", "≤ .001"),
    digits=None,
    name="p",
)
