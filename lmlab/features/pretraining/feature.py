"""The Pre-training tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="pretraining",
    title="Pre-training",
    order=90,
    about=(
        "A small model from nothing on a text of your choice: its tokenizer, its size, its loss "
        "between ln V, the unigram entropy and the shipped base, its samples as letters become "
        "words."
    ),
    first=Look("#pretraining-tokens .lm-toks, #pretraining-facts .lm-fig"),
    commands=("cli:add_pretrain",),
    picture=Look(
        '#pretraining-monitor .lm-monitor[data-state="done"]',
        "#pretraining-go",
        "#pretraining-live",
    ),
)
