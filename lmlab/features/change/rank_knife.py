"""The rank knife: a base with the k largest singular values of every ΔW, scored for each k.

Other weights stand in while a text is scored; the stored ones are never written to.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lmlab.errors import InputError
from lmlab.features.change.changes import KnifePoint
from lmlab.features.change.weight_change import Delta, deltas
from lmlab.maths.metrics import corpus_log_perplexity
from lmlab.maths.spectra import Decomposed
from lmlab.models.backends.transformers.ways import choose
from lmlab.models.model import LM
from lmlab.scoring.score import ScoreRequest, score_many
from lmlab.scoring.scored import Scored, bits_per_byte

Texts = Sequence[ScoreRequest | str]


@dataclass(frozen=True)
class Cut:
    """One ΔW, ready to be cut.

    Attributes:
        delta: the change.
        found: its decomposition; None of a vector, which stays whole.
    """

    delta: Delta
    found: Decomposed | None

    def kept(self, k: int) -> Tensor | None:
        """The k largest parts of ΔW; of a vector all of it."""
        return self.delta.matrix if self.found is None else self.found.kept(k)


def iter_knife(
    base: LM,
    tuned: LM,
    task: Texts,
    general: Texts,
    ranks: Sequence[int] | None = None,
) -> Iterator[KnifePoint]:
    """Score both kinds of text for each k.

    Vectors (norms and biases), where fine-tuning changed them, are the tuned ones from k = 1 on.

    Args:
        base: and ``tuned``, both from one ``ModelStore.borrow_all``.
        task: texts of what was learned; what is given before a text is not counted.
        general: texts of anything else.
        ranks: the values of k; by default 0 to the largest rank, doubling above 8.

    Raises:
        InputError: no text, or a k below 0.
        ModelError: what ``weightchange.deltas`` raises.
    """
    check(task, general, ranks)
    cuts = list(iter_cuts(base, tuned))
    for k in default_ranks(highest(cuts)) if ranks is None else ranks:
        yield point(base, cuts, k, task, general)


def check(task: Texts, general: Texts, ranks: Sequence[int] | None = None) -> None:
    """Refuse what cannot be measured.

    Raises:
        InputError: no text, or a k below 0.
    """
    if not task or not general:
        raise InputError("The rank knife needs a text of the task and a general one.")
    if any(k < 0 for k in ranks or ()):
        raise InputError("A rank is 0 or more.")


@torch.inference_mode()
def iter_cuts(base: LM, tuned: LM) -> Iterator[Cut]:
    """Every ΔW, decomposed, one after another."""
    for delta in deltas(base, tuned):
        yield Cut(delta, delta.decomposed() if delta.weight.dim() == 2 else None)


def highest(cuts: Sequence[Cut]) -> int:
    """The k from which on nothing is cut."""
    return max((len(cut.found.s) for cut in cuts if cut.found), default=0)


def share(cuts: Sequence[Cut], k: int) -> float:
    """The share of Σ‖ΔW‖² over the matrices that the k largest singular values of each hold."""
    squares = [cut.found.s.double() ** 2 for cut in cuts if cut.found]
    total = sum(float(s.sum()) for s in squares)
    return sum(float(s[:k].sum()) for s in squares) / total if total > 0 else 1.0


def point(base: LM, cuts: Sequence[Cut], k: int, task: Texts, general: Texts) -> KnifePoint:
    """The base with the k largest singular values of every ΔW, on both kinds of text."""
    with _stood_in(base, _weights(cuts, k)) as lm:
        return measured(lm, k, task, general, share(cuts, k))


def measured(lm: LM, k: int, task: Texts, general: Texts, kept: float = 1.0) -> KnifePoint:
    """A model on both kinds of text, as it is."""
    one, other = score_many(lm, task, top_k=0), score_many(lm, general, top_k=0)
    return KnifePoint(
        k=k,
        task=_log_perplexity(one),
        general=_log_perplexity(other),
        task_bits=bits_per_byte(one),
        general_bits=bits_per_byte(other),
        kept=kept,
    )


def default_ranks(most: int) -> tuple[int, ...]:
    """Every k up to 8, then doubling, then the most.

    >>> default_ranks(4), default_ranks(40)
    ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40))
    """
    found = list(range(min(most, 8) + 1))
    while found[-1] * 2 < most:
        found.append(found[-1] * 2)
    return tuple(found) if found[-1] == most else (*found, most)


@torch.inference_mode()
def _weights(cuts: Sequence[Cut], k: int) -> list[tuple[Delta, Tensor]]:
    """Of each parameter W plus the cut ΔW, as the model keeps it."""
    made = []
    for cut in cuts if k else ():
        delta, change = cut.delta, cut.kept(k)
        if change is not None:
            weight = (delta.weight.float() + change.to(delta.weight.device)).to(delta.weight.dtype)
            made.append((delta, weight.t() if delta.turned else weight))
    return made


@contextmanager
def _stood_in(lm: LM, weights: Sequence[tuple[Delta, Tensor]]) -> Iterator[LM]:
    """The model with other parameters in the place of some."""
    lm.switch_on()
    replaced: list[tuple[nn.Module, str, nn.Parameter | None]] = []
    try:
        for delta, weight in weights:
            new = nn.Parameter(weight.contiguous(), requires_grad=False)
            for module, name in _places(lm.model, delta):
                replaced.append((module, name, module._parameters[name]))
                module._parameters[name] = new
        one: Any = lm
        yield replace(one, ways=choose(lm.model, None))
    finally:
        for module, name, parameter in reversed(replaced):
            module._parameters[name] = parameter


def _places(model: nn.Module, delta: Delta) -> list[tuple[nn.Module, str]]:
    """Where a parameter stands, tied ones in all places; an adapter stands beside one map alone."""
    path, _, name = delta.name.rpartition(".")
    module = model.get_submodule(path)
    if delta.u is not None:
        return [(module, name)]
    own = module._parameters[name]
    return [(m, n) for m in model.modules() for n, p in m._parameters.items() if p is own]


def _log_perplexity(scored: Sequence[Scored]) -> float:
    return corpus_log_perplexity([one.logprob for one in scored], [one.n_tokens for one in scored])
