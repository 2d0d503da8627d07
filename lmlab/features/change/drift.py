"""How far a tuned model's distributions moved from the base's, on text of several kinds: the
lecture's "close here, far there", in numbers.
"""

from collections.abc import Iterator, Mapping, Sequence

from lmlab.errors import InputError
from lmlab.features.change.changes import Drift
from lmlab.maths import agreement
from lmlab.models.model import LM
from lmlab.scoring.compared import Compared
from lmlab.scoring.comparison import iter_compare, same_vocabulary
from lmlab.scoring.score import ScoreRequest
from lmlab.scoring.scored import bits_per_byte


def iter_drift(
    base: LM,
    tuned: LM,
    texts: Mapping[str, Sequence[ScoreRequest]],
    *,
    max_tokens: int | None = None,
) -> Iterator[Drift]:
    """One ``Drift`` a kind of text, as soon as its texts are scored.

    Args:
        base: and ``tuned``, both from one ``ModelStore.borrow_all``.
        texts: {kind: its texts}; what is given before a text is not counted.
        max_tokens: longest text.

    Raises:
        InputError: a kind without texts; models with different tokens, whose distributions cannot
            be compared.
    """
    for kind, requests in texts.items():
        steps = iter_kind(base, tuned, kind, requests, max_tokens=max_tokens)
        yield next(step for step in steps if isinstance(step, Drift))


def iter_kind(
    base: LM,
    tuned: LM,
    kind: str,
    requests: Sequence[ScoreRequest],
    *,
    group: str = "",
    max_tokens: int | None = None,
) -> Iterator[int | Drift]:
    """How many texts of a kind are scored, after each; then its ``Drift``. As ``iter_drift``."""
    if not same_vocabulary(base, tuned):
        raise InputError(
            f"‘{base.name}’ and ‘{tuned.name}’ have different tokens.",
            "Choose a model and what was made from it.",
        )
    if not requests:
        raise InputError(f"There is no text of the kind ‘{kind[:60]}’.")
    found: list[Compared] = []
    for request in requests:
        found.append(_compared(base, tuned, request, max_tokens))
        yield len(found)
    yield summary(kind, found, group)


def summary(kind: str, compared: Sequence[Compared], group: str = "") -> Drift:
    """Each text counts once; the intervals come from drawing texts again."""
    away = agreement.bootstrap([_known(one.kl_reverse) for one in compared])
    back = agreement.bootstrap([_known(one.kl) for one in compared])
    return Drift(
        kind=kind,
        n_texts=len(compared),
        n_tokens=sum(one.first.n_tokens for one in compared),
        kl=away.mean,
        kl_low=away.low,
        kl_high=away.high,
        kl_reverse=back.mean,
        before=bits_per_byte([one.first for one in compared]),
        after=bits_per_byte([one.second for one in compared]),
        kl_reverse_low=back.low,
        kl_reverse_high=back.high,
        group=group,
    )


def _compared(base: LM, tuned: LM, request: ScoreRequest, max_tokens: int | None) -> Compared:
    steps = iter_compare(
        base, tuned, request.text, prefix=request.prefix, given=request.given,
        top_k=0, max_tokens=max_tokens,
    )  # fmt: skip
    return next(step for step in steps if isinstance(step, Compared))


def _known(values: Sequence[float | None] | None) -> list[float]:
    return [value for value in values or () if value is not None]
