"""The Compare tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="compare",
    title="Compare",
    order=30,
    about=(
        "One prompt through two to four models at once, base and adapters in one batch; then "
        "where two models differ on a text: log-probability difference and KL divergence at each "
        "token, the positions that moved most, and a dial for the adapter's strength α."
    ),
    first=Look("#compare-shift-strip .lm-tok"),
    commands=("cli:add_compare",),
    needs=frozenset({"distributions", "text"}),
)
