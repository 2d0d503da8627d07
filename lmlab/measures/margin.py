"""Margin: how far the token fell short of the model's favourite."""

from lmlab.measures import Column, Columns, Measure


def value(columns: Columns) -> Column:
    """ln of the ratio of the favourite's probability to the token's; 0 for the favourite itself."""
    return columns["best"] - columns["logprob"]


MEASURE = Measure(
    order=60,
    key="margin",
    label="margin",
    about="Log-probability of the model's favourite minus that of the token: 0 where the favourite "
    "came.",
    formula="max_{v} ln p(v | x_{<i}) − ln p(x_{i} | x_{<i})",
    unit="nats",
    value=value,
    needs=("best", "logprob"),
    edges=(0.001, 0.5, 1, 2, 3, 5, 7, 10),
    labels=("0", ".001", ".5", "1", "2", "3", "5", "7", "≥ 10"),
    name="margin_nats",
    receipt="table.max(-1).values - each",
)
