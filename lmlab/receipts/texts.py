"""Receipts of scored texts: the log-likelihood under one model, and two models compared."""

from lmlab.errors import InputError
from lmlab.measures import measures
from lmlab.receipts.script import script
from lmlab.scoring.compared import Compared
from lmlab.scoring.scored import Scored


def likelihood(scored: Scored) -> str:
    """ln P(text | prefix) of a scored text, and the means of what was measured.

    Raises:
        InputError: nothing was scored.
    """
    _check_scored(scored)
    columns, known = scored.tokens.columns, scored.tokens.known
    told = [(one, one.value(columns)[known].mean()) for one in measures(columns) if one.receipt]
    return script(
        "receipts/likelihood", [scored.model], scored=scored, limit=scored.limit, told=told
    )


def compared(found: Compared) -> str:
    """ln P of a text under two models, and the mean KL divergences of their distributions.

    Raises:
        InputError: nothing was scored, or the two have different tokens.
    """
    if not found.same_tokens:
        raise InputError(
            "A receipt compares models of the same tokens alone.",
            "Score each by itself on the Likelihood tab.",
        )
    _check_scored(found.first)
    return two_models(found.first, found.second, found.mean_kl)


def two_models(first: Scored, second: Scored, means: tuple[float, float] | None = None) -> str:
    """Like ``compared``, from two scorings of the same tokens and, where known, the mean KLs."""
    limit = min(first.limit or 0, second.limit or 0)
    named = [first.model, second.model]
    return script(
        "receipts/two_models", named, scored=first, second=second, limit=limit, means=means
    )


def _check_scored(scored: Scored) -> None:
    if not scored.n_tokens:
        raise InputError("Nothing of this text was scored.", "Add a prefix or more text.")
