"""The Scale tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="scale",
    title="Scale",
    order=70,
    about=(
        "GPT-1 to GPT-4 beside any model at hand; parameters counted by part from a shape, "
        "memory, cache, training FLOPs, LoRA; bits per byte measured against size."
    ),
    first=Look("#scale-measured table"),
    commands=("cli:add_scale",),
    needs=frozenset({"weights"}),
)
