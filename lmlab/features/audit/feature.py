"""The Audit tab, as the page, the command line and the documents know it."""

from lmlab.features import Feature, Look

FEATURE = Feature(
    name="audit",
    title="Audit",
    order=14,
    about=(
        "The perplexity audit: one text and one model under every convention that is in use; who "
        "reports it so, and which tokens make the difference."
    ),
    first=Look("#audit-table tbody tr", press="#audit-go"),
    commands=("cli:add_audit",),
    pictured=False,
    needs=frozenset({"scores"}),
)
