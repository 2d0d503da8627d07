"""The receipt of an audit: one script that computes every row."""

from lmlab.features.audit.results import Audit
from lmlab.receipts.script import script


def receipt(found: Audit) -> str:
    """Plain torch and transformers, without lmlab."""
    return script("features/audit/audit", [found.model], found=found)
