"""Greedy completions of many prompts: those of one length run side by side, none is padded."""

from collections.abc import Callable, Iterator, Sequence

from lmlab.generation.complete import Stream
from lmlab.generation.completions import FinishReason
from lmlab.generation.sampling import GenerateConfig
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
    live = list(range(len(streams)))
    decoder = lm.decoder()
    ask()
    logits = decoder.read_all(prompts, reader)
    while True:
        for i, row in zip(live, logits, strict=True):
            texts[i] += streams[i].advance(row).shown
        going = [place for place, i in enumerate(live) if streams[i].finish is None]
        if not going:
            return [(text, s.finish) for text, s in zip(texts, streams, strict=True)]
        if len(going) < len(live):
            decoder.keep(going)
            live = [live[place] for place in going]
        ask()
        logits = decoder.feed([streams[i].ids[-1] for i in live])
