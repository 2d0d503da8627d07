"""The Fine-tune tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="tuning",
    title="Fine-tune",
    order=50,
    about=(
        "Full, selective, LoRA and prompt tuning of any of the models, live: a row as tokens with "
        "those that carry loss coloured; how many parameters learn, d·k against ℓ(d + k), and W + "
        "V·U drawn at true proportions; loss on the task and on general text as the run goes, "
        "answers before and now; a tuned model opens on the other tabs; a race of methods."
    ),
    first=Look("#tuning-monitor .lm-runline", "#tuning-start-go"),
    commands=(
        "cli:add_finetune",
        "runs_cli:add_runs",
        "merge_cli:add_merge",
    ),
    wordings="data:wordings",
    picture=Look(
        '#tuning-monitor .lm-monitor[data-state="done"]', "#tuning-start-go", "#tuning-counter"
    ),
    needs=frozenset({"training"}),
)
