"""Greedy completions of many prompts, side by side: those of one length, and of several where the
model was seen to allow it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from lmlab.generation.completions import FinishReason
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.streams import Stream, going
from lmlab.models.decoding import Decoder, SharedPrefix, common_prefix
from lmlab.models.model import LM
from lmlab.models.windows import batched

ROWS = 32
FEW = 4  # lengths for which the proof that they may go together costs more than it gives

Ask = Callable[[], None]
Written = tuple[str, FinishReason | None]


def complete(
    lm: LM,
    prompts: Sequence[Sequence[int]],
    config: GenerateConfig,
    *,
    share: bool,
    ask: Ask = lambda: None,
) -> Iterator[dict[int, Written]]:
    """Complete each prompt; yields {place: (text, why it ended)} group by group.

    Args:
        prompts: ids, each at least one and none longer than the model's context.
        config: the controls; a stop string is left out of the text.
        share: whether to read a common beginning once.
        ask: called before each token; what it raises ends all.
    """
    most = min(len(ids) for ids in prompts) - 1
    reader = SharedPrefix(lm, common_prefix(prompts, most) if share else ())
    for group in _groups(lm, prompts):
        written = _together(lm, reader, [prompts[i] for i in group], config, ask)
        yield dict(zip(group, written, strict=True))


def _groups(lm: LM, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The longest first; of one length each, unless rows of several may go together."""
    lengths = list(map(len, prompts))
    together = len(set(lengths)) > FEW and lm.together
    order = sorted(range(len(prompts)), key=lambda i: -lengths[i])
    for _, members in groupby(order, key=lambda i: 0 if together else lengths[i]):
        yield from batched(members, lengths.__getitem__, lambda n, _: n > ROWS)


def _together(
    lm: LM, reader: SharedPrefix, prompts: Sequence[Sequence[int]], config: GenerateConfig, ask: Ask
) -> list[Written]:
    """Advance prompts, sorted by length, until each has ended."""
    streams = [Stream(lm, config, list(ids), 0, config.seed) for ids in prompts]
    texts = [""] * len(streams)
    decoders, logits = list[Decoder](), list[Tensor]()
    for _, alike in groupby(prompts, key=len):
        ask()
        decoders.append(lm.decoder())
        logits.append(decoders[-1].read_all(list(alike), reader))
    if len(decoders) > 1:
        decoders[0].join(decoders[1:])
    for steps in going(decoders[0], streams, torch.cat(logits)):
        for i, step in steps:
            texts[i] += step.shown
        if any(stream.finish is None for stream in streams):
            ask()
    return [(text, stream.finish) for text, stream in zip(texts, streams, strict=True)]
