"""The Languages tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="languages",
    title="Languages",
    order=75,
    about=(
        "One sentence in ten languages, or any others, through several tokenizers: tokens, bytes a "
        "token, share of the context, price against the first one, the pieces side by side; with a "
        "model, bits per byte."
    ),
    first=Look("#languages-table .lm-pieces", "#languages-go"),
    commands=("cli:add_languages",),
    pictured=False,
)
