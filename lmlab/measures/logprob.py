"""Log-probability: a term of the text's log-likelihood."""

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=10,
    key="logprob",
    label="log-probability",
    short="ln p",
    about="Log of the probability that the model gave to the token; over a text they add up to its "
    "log-likelihood.",
    formula="ln p(x_{i} | x_{<i})",
    unit="nats",
    value=Of("logprob"),
    edges=(-1, -2, -3, -4, -6, -8, -10, -12),
    labels=("0", "−1", "−2", "−3", "−4", "−6", "−8", "−10", "≤ −12"),
    digits=3,
    name="ln_p",
)
