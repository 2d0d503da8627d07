"""The Completion tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="completion",
    title="Completion",
    order=20,
    about=(
        "A prompt x<sub>1:t</sub> completed token by token: what the model believed at each step, "
        "what temperature, top-k, top-p, min-p and the repetition penalty made of it, what was "
        "drawn. One token at a time, undo, another choice at any token (a tree of branches "
        "tried), n samples with their log-probabilities. A map of what could come: area is "
        "probability, greedy, beam and samples in it."
    ),
    first=Look("#completion-strip .lm-tok", "#completion-go"),
    commands=("cli:add_generate", "tree_cli:add_tree"),
    needs=frozenset({"text"}),
)
