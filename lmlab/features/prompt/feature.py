"""The Prompt tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="prompt",
    title="Prompt",
    order=40,
    about=(
        "Prompt design: a template, examples and a query become a prompt (the encoder F), the "
        "completion becomes an answer (the decoder G); then how good the design is on a labelled "
        "set, by shots, wording, order and model, with intervals, confusion, calibration and "
        "every prediction; zero-shot, few-shot and a tuned model in one click; minimal pairs, the "
        "shipped ones or your own."
    ),
    first=Look("#prompt-strip .lm-tok", "#prompt-go"),
    commands=(
        "cli:add_prompt",
        "evaluate_cli:add_evaluate",
    ),
    wordings="events:wordings",
    needs=frozenset({"distributions", "text"}),
)
