"""The Likelihood tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="likelihood",
    title="Likelihood",
    order=10,
    about=(
        "A text x<sub>t+1:t+L</sub> given a prefix x<sub>1:t</sub>, token by token: "
        "log-probability, surprisal, probability, rank or entropy as colour; the alternatives at "
        "every position; perplexity written out as product, root and mean of logs; surprisal "
        "along the text; a second model beside it."
    ),
    first=Look("main:has(#likelihood-plot .js-plotly-plot) #likelihood-factors tbody tr"),
    commands=("cli:add_score",),
    picture=Look("#likelihood-plot .scatterlayer"),
    needs=frozenset({"scores"}),
)
