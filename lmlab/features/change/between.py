"""How far several models' next-token distributions are from each other on one text."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmlab.maths.jensenshannon import distance, entropy
from lmlab.models.model import LM
from lmlab.models.tokens import encode
from lmlab.models.windows import plan
from lmlab.scoring.score import Job, ScoreRequest, predictions


@dataclass(frozen=True)
class Between:
    """Several models on one text.

    Attributes:
        distances: [model][model], mean over the scored tokens of √JSD.
        logprob: ln p(text | prefix) under each model.
        n_tokens: how many were scored.
    """

    distances: tuple[tuple[float, ...], ...]
    logprob: tuple[float, ...]
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
    job = Job(
        0, item.ids, plan(max(1, item.n_context), len(item.ids), context, "disjoint", None)[0]
    )
    tables, logprob = [], []
    for lm in lms:
        rows, targets = predictions(lm, [job])
        lm.switch_on()
        logp = lm.head.logits(rows).float().log_softmax(-1)
        logprob.append(float(logp.gather(-1, targets[:, None]).sum()))
        tables.append(logp.exp())
    return Between(_pairs(tables), tuple(logprob), len(tables[0]))


def _pairs(tables: Sequence[Tensor]) -> tuple[tuple[float, ...], ...]:
    size, entropies = len(tables), [entropy(table) for table in tables]
    found = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i):
            rows = distance(tables[i], tables[j], entropies[i], entropies[j])
            found[i][j] = found[j][i] = float(rows.mean())
    return tuple(tuple(row) for row in found)
