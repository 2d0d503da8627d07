"""The About tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="about",
    title="About",
    order=100,
    about=(
        "What the numbers mean, which conventions they follow, and the embedded models with their "
        "cards."
    ),
    first=Look("#about-text h2"),
    pictured=False,
)
