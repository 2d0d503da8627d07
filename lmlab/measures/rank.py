"""Rank of the token: how many others the model found likelier, and one."""

from lmlab.measures import Measure, Of

MEASURE = Measure(
    order=40,
    key="rank",
    label="rank",
    about="Place of the token among all, by probability: 1 is the model's favourite.",
    formula="place of x_{i} among all tokens",
    unit="",
    value=Of("rank"),
    edges=(2, 3, 5, 10, 30, 100, 1000, 10_000),
    labels=("1", "2", "3", "5", "10", "30", "100", "1000", "≥ 10⁴"),
    digits=0,
    name="rank",
    receipt="(table > each[:, None]).sum(-1) + 1",
)
