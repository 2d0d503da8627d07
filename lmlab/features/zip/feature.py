"""The Zip tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look
from lmlab.models.gives import DISTRIBUTIONS

FEATURE = Feature(
    name="zip",
    title="Zip",
    order=12,
    about=(
        "A language model is a zip: arithmetic coding of a text, token by token, as an interval "
        "that narrows; bits that drop out, the far side that decodes; its size beside gzip and xz."
    ),
    first=Look("#zip-view .lm-zipbar", press="#zip-go"),
    commands=("cli:add_zip", "cli:add_unzip"),
    pictured=False,
    needs=DISTRIBUTIONS,
)
