"""Greedy completions of many prompts: those of one length run side by side, none is padded."""

from collections.abc import Callable, Iterator, Sequence

from lmlab.generation.completions import FinishReason
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.streams import Stream, going
from lmlab.models.decoding import SharedPrefix, common_prefix
from lmlab.models.model import LM

ROWS = 32

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
    for group in _groups(prompts):
        written = _together(lm, reader, [prompts[i] for i in group], config, ask)
        yield dict(zip(group, written, strict=True))


def _groups(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    by_length: dict[int, list[int]] = {}
    for i, ids in enumerate(prompts):
        by_length.setdefault(len(ids), []).append(i)
    for _, members in sorted(by_length.items(), reverse=True):
        for low in range(0, len(members), ROWS):
            yield members[low : low + ROWS]


def _together(
    lm: LM, reader: SharedPrefix, prompts: Sequence[Sequence[int]], config: GenerateConfig, ask: Ask
) -> list[Written]:
    """Advance prompts of one length until each has ended."""
    streams = [Stream(lm, config, list(ids), 0, config.seed) for ids in prompts]
    texts = [""] * len(streams)
    decoder = lm.decoder()
    ask()
    for steps in going(decoder, streams, decoder.read_all(prompts, reader)):
        for i, step in steps:
            texts[i] += step.shown
        if any(stream.finish is None for stream in streams):
            ask()
    return [(text, stream.finish) for text, stream in zip(texts, streams, strict=True)]
