"""The rank knife: a base with the k largest singular values of every ΔW, scored for each k.

Other weights stand in while a text is scored; the stored ones are never written to.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from lmlab.change.weightchange import Delta, deltas
from lmlab.errors import InputError
from lmlab.lm.heads import choose
from lmlab.lm.model import LM
from lmlab.maths.metrics import corpus_log_perplexity
from lmlab.maths.spectra import Decomposed
from lmlab.results.changes import KnifePoint
from lmlab.results.scored import Scored, bits_per_byte
from lmlab.scoring.score import score_many


def iter_knife(
    base: LM,
    tuned: LM,
    task: Sequence[str],
    general: Sequence[str],
    ranks: Sequence[int] | None = None,
) -> Iterator[KnifePoint]:
    """Score both kinds of text for each k.

    Vectors (norms and biases), where fine-tuning changed them, are the tuned ones from k = 1 on.

    Args:
        base: and ``tuned``, both from one ``ModelStore.borrow_all``.
        task: texts of what was learned.
        general: texts of anything else.
        ranks: the values of k; by default 0 to the largest rank, doubling above 8.

    Raises:
        InputError: no text, or a k below 0.
        ModelError: what ``weightchange.deltas`` raises.
    """
    if not task or not general:
        raise InputError("The rank knife needs a text of the task and a general one.")
    cuts = [(delta, _decomposed(delta)) for delta in deltas(base, tuned)]
    most = max((len(found.s) for _, found in cuts if found), default=0)
    chosen = default_ranks(most) if ranks is None else tuple(ranks)
    if any(k < 0 for k in chosen):
        raise InputError("A rank is 0 or more.")
    for k in chosen:
        with _stood_in(base, _weights(cuts, k)) as lm:
            one, other = score_many(lm, task, top_k=0), score_many(lm, general, top_k=0)
        yield KnifePoint(k, *map(_log_perplexity, (one, other)), *map(bits_per_byte, (one, other)))


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
def _decomposed(delta: Delta) -> Decomposed | None:
    return delta.decomposed() if delta.weight.dim() == 2 else None


@torch.inference_mode()
def _weights(cuts: Sequence[tuple[Delta, Decomposed | None]], k: int) -> list[tuple[Delta, Tensor]]:
    """Of each parameter W plus the cut ΔW, as the model keeps it."""
    made = []
    for delta, found in cuts if k else ():
        change = delta.matrix if found is None else found.kept(k)
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
        body, head = choose(lm.model, None)
        yield replace(lm, body=body, head=head)
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
