"""How far a tuned model's distributions moved from the base's, on text of several kinds: the
lecture's "close here, far there", in numbers; and how far several models are from each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from lmlab.errors import InputError
from lmlab.features.change.changes import Drift, TaskMap
from lmlab.maths import agreement
from lmlab.maths.mds import scaled
from lmlab.maths.metrics import distance, entropy
from lmlab.models.model import LM
from lmlab.models.tokens import encode
from lmlab.models.windows import plan
from lmlab.scoring.compared import Compared
from lmlab.scoring.comparison import iter_compare, same_vocabulary
from lmlab.scoring.score import Job, ScoreRequest, predictions
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
        if not requests:
            raise InputError(f"There is no text of the kind ‘{kind[:60]}’.")
        yield drift_of(kind, list(iter_kind(base, tuned, requests, max_tokens=max_tokens)))


def iter_kind(
    base: LM, tuned: LM, requests: Sequence[ScoreRequest], *, max_tokens: int | None = None
) -> Iterator[Compared]:
    """Texts of a kind under both models, one after another. As ``iter_drift``."""
    if not same_vocabulary(base, tuned):
        raise InputError(
            f"‘{base.name}’ and ‘{tuned.name}’ have different tokens.",
            "Choose a model and what was made from it.",
        )
    for one in requests:
        steps = iter_compare(
            base, tuned, one.text, prefix=one.prefix, given=one.given, top_k=0,
            max_tokens=max_tokens,
        )  # fmt: skip
        yield next(step for step in steps if isinstance(step, Compared))


def drift_of(kind: str, found: Sequence[Compared], group: str = "") -> Drift:
    """What some texts of a kind, at least one, say together."""
    # Each text counts once; the intervals come from drawing texts again.
    away = agreement.bootstrap([_known(one.kl_reverse) for one in found])
    back = agreement.bootstrap([_known(one.kl) for one in found])
    return Drift(
        kind=kind,
        n_texts=len(found),
        n_tokens=sum(one.first.n_tokens for one in found),
        kl=away.mean,
        kl_low=away.low,
        kl_high=away.high,
        kl_reverse=back.mean,
        kl_reverse_low=back.low,
        kl_reverse_high=back.high,
        before=bits_per_byte([one.first for one in found]),
        after=bits_per_byte([one.second for one in found]),
        group=group,
    )


def _known(values: Sequence[float | None] | None) -> list[float]:
    return [value for value in values or () if value is not None]


@dataclass(frozen=True)
class Between:
    """Several models on one text."""

    distances: list[list[float]]  # [model][model]: mean over the scored tokens of √JSD
    logprob: list[float]  # ln p(text | prefix) under each model
    n_tokens: int


@torch.inference_mode()
def between(lms: Sequence[LM], request: ScoreRequest) -> Between:
    """Every pair of models on a text; of one that does not fit, only what fits is read.

    Args:
        lms: with the same tokens, from one ``ModelStore.borrow_all``.
        request: the text and what stands before it.
    """
    item = encode(lms[0].vocabulary, request.text, request.prefix)
    context = min(lm.context for lm in lms)
    window = plan(max(1, item.n_context), len(item.ids), context, "disjoint", None)[0]
    tables, logprob = [], []
    for lm in lms:
        rows, targets = predictions(lm, [Job(0, item.ids, window)])
        lm.switch_on()
        logp = lm.head.logits(rows).float().log_softmax(-1)
        logprob.append(float(logp.gather(-1, targets[:, None]).sum()))
        tables.append(logp.exp())
    size, entropies = len(tables), [entropy(table) for table in tables]
    found = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i):
            rows = distance(tables[i], tables[j], entropies[i], entropies[j])
            found[i][j] = found[j][i] = float(rows.mean())
    return Between(found, logprob, len(tables[0]))


def task_map(
    variants: Sequence[tuple[str, str]], found: Mapping[str, Sequence[Between]]
) -> TaskMap:
    """The map of (name, task) from what was read of each kind, the tasks before general text."""
    kinds, size = list(found), range(len(variants))
    distances = [
        [
            fmean(fmean(one.distances[i][j] for one in found[kind]) for kind in kinds[:-1])
            for j in size
        ]
        for i in size
    ]
    picture = scaled(distances)
    apart = (
        agreement.spread([one.distances[0][i] for one in found.get(task, ())])
        for i, (_, task) in enumerate(variants)
    )
    n_tokens = tuple(sum(one.n_tokens for one in rows) for rows in found.values())
    losses = (
        tuple(
            -sum(one.logprob[i] for one in rows) / n
            for rows, n in zip(found.values(), n_tokens, strict=True)
        )
        for i in size
    )
    return TaskMap(
        names=tuple(name for name, _ in variants),
        own=tuple(task for _, task in variants),
        kinds=tuple(kinds),
        n_rows=tuple(len(rows) for rows in found.values()),
        n_tokens=n_tokens,
        distances=tuple(map(tuple, distances)),
        points=picture.points,
        stress=picture.stress,
        spread=tuple(apart),
        losses=tuple(losses),
    )
