"""The Change tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="change",
    title="Change",
    order=60,
    about=(
        "What fine-tuning changed: ‖ΔW‖/‖W‖ by layer and matrix, singular values beside those of "
        "W, V and U as they are; a rank knife; how far the distributions moved on text of several "
        "kinds, and what was forgotten; one text under every checkpoint of a training; a map of "
        "the tasks."
    ),
    first=Look("#change-map td, #change-map [role=gridcell], #change-map svg"),
    commands=("cli:add_diff",),
    ahead="drift_page:ahead",
    picture=Look("#change-pictures canvas", dark=True),
    needs=frozenset({"weights"}),
)
