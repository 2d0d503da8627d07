"""Receipts of scored texts, under one model or two, and of completions."""

from lmlab.errors import InputError
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.measures import measures
from lmlab.receipts.script import script
from lmlab.scoring.compared import Compared
from lmlab.scoring.scored import Scored


def likelihood(scored: Scored) -> str:
    """ln P(text | prefix) of a scored text, and the means of what was measured."""
    _check_scored(scored)
    columns, known = scored.tokens.columns, scored.tokens.known
    told = [(one, one.value(columns)[known].mean()) for one in measures(columns) if one.receipt]
    return script(
        "receipts/likelihood", [scored.model], scored=scored, limit=scored.limit, told=told
    )


def compared(found: Compared) -> str:
    """ln P of a text under two models, and the mean KL divergences of their distributions."""
    if not found.same_tokens:
        hint = "Score each by itself on the Likelihood tab."
        raise InputError("A receipt compares models of the same tokens alone.", hint)
    _check_scored(found.first)
    return two_models(found.first, found.second, found.mean_kl)


def two_models(first: Scored, second: Scored, means: tuple[float, float] | None = None) -> str:
    """Like ``compared``, from two scorings of the same tokens and, where known, the mean KLs."""
    limit = min(first.limit or 0, second.limit or 0)
    given = {"scored": first, "second": second, "limit": limit, "means": means}
    return script("receipts/two_models", [first.model, second.model], **given)


def _check_scored(scored: Scored) -> None:
    if not scored.n_tokens:
        raise InputError("Nothing of this text was scored.", "Add a prefix or more text.")


def completion(done: Completion, drawn: GenerateConfig | None) -> str:
    """The completion's text and ln P(completion | prompt).

    ``drawn`` are the controls and the seed that all of it was drawn with; None where a token was
    chosen by hand, whose likelihood alone can be given again.
    """
    if not done.steps:
        raise InputError("There is no completion yet.", "Press Run first.")
    return script("receipts/completion", [done.model], done=done, drawn=drawn)
