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
from lmlab.scoring.scored import bits_per_byte

Texts = Sequence[ScoreRequest | str]


@dataclass(frozen=True)
class Cut:
    """One ΔW, ready to be cut; a vector stays whole."""

    delta: Delta
    found: Decomposed | None

    @torch.inference_mode()
    def weight(self, k: int) -> Tensor:
        """W and the k largest parts of ΔW, as the model keeps it."""
        old, change = self.delta.weight, self.found.kept(k) if self.found else self.delta.whole
        new = (old.float() + change.to(old.device)).to(old.dtype)
        return new.t() if self.delta.turned else new


def iter_knife(
    base: LM, tuned: LM, task: Texts, general: Texts, ranks: Sequence[int] | None = None
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
        ModelError: what ``weight_change.deltas`` raises.
    """
    check(task, general)
    if any(k < 0 for k in ranks or ()):
        raise InputError("A rank is 0 or more.")
    cuts = list(iter_cuts(base, tuned))
    for k in default_ranks(cuts) if ranks is None else ranks:
        yield point(base, cuts, k, task, general)


def check(task: Texts, general: Texts) -> None:
    """Refuse to measure on nothing."""
    if not task or not general:
        raise InputError("The rank knife needs a text of the task and a general one.")


@torch.inference_mode()
def iter_cuts(base: LM, tuned: LM) -> Iterator[Cut]:
    """Every ΔW, decomposed, one after another."""
    for delta in deltas(base, tuned):
        yield Cut(delta, delta.decomposed() if delta.weight.dim() == 2 else None)


def default_ranks(cuts: Sequence[Cut]) -> tuple[int, ...]:
    """Every k up to 8, then doubling, then the k from which on nothing is cut."""
    most = max((len(cut.found.s) for cut in cuts if cut.found), default=0)
    found = list(range(min(most, 8) + 1))
    while found[-1] < most:
        found.append(min(2 * found[-1], most))
    return tuple(found)


def point(base: LM, cuts: Sequence[Cut], k: int, task: Texts, general: Texts) -> KnifePoint:
    """The base with the k largest singular values of every ΔW, on both kinds of text."""
    squares = [cut.found.s.double() ** 2 for cut in cuts if cut.found]
    total = sum(float(s.sum()) for s in squares)
    kept = sum(float(s[:k].sum()) for s in squares) / total if total > 0 else 1.0
    with _stood_in(base, cuts if k else (), k) as lm:
        return measured(lm, k, task, general, kept)


def measured(lm: LM, k: int, task: Texts, general: Texts, kept: float = 1.0) -> KnifePoint:
    """A model on both kinds of text, as it is."""
    both = [score_many(lm, texts, top_k=0) for texts in (task, general)]
    nats, other = (
        corpus_log_perplexity([one.logprob for one in found], [one.n_tokens for one in found])
        for found in both
    )
    bits, other_bits = map(bits_per_byte, both)
    return KnifePoint(k, nats, other, bits, other_bits, kept)


@contextmanager
def _stood_in(lm: LM, cuts: Sequence[Cut], k: int) -> Iterator[LM]:
    """The model with other parameters in the place of those that are cut."""
    lm.switch_on()
    replaced: list[tuple[nn.Module, str, nn.Parameter | None]] = []
    try:
        for cut in cuts:
            new = nn.Parameter(cut.weight(k).contiguous(), requires_grad=False)
            for module, name in _places(lm.model, cut.delta):
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
    if delta.product:
        return [(module, name)]
    own = module._parameters[name]
    return [(m, n) for m in model.modules() for n, p in m._parameters.items() if p is own]
