"""The Data tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="data",
    title="Data",
    order=80,
    about=(
        "What GPT-3, the Pile and the embedded base were trained on, with weights and epochs that "
        "can be turned; a corpus looked at for duplicates, personal data, languages and quality, "
        "and downloaded cleaned."
    ),
    first=Look("main:has(#data-stop:disabled) #data-findings .lm-fig", "#data-go"),
    picture=Look("#data-mixture .lm-mixtable"),
    needs=frozenset({"scores"}),
)
