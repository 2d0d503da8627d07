"""Completions that a model draws by itself, as an engine behind HTTP does: its tokens become steps.

What it does not tell of a step is None, and is not made up from the likeliest tokens.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from lmlab.errors import LabError
from lmlab.generation.completions import Candidate, Step
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.streams import Stream
from lmlab.models.model import LM, Drawn


def draws_itself(lm: LM) -> bool:
    """Whether a model gives completions and no distributions to draw them from."""
    return "text" in lm.gives and "distributions" not in lm.gives


def drawn(streams: Sequence[Stream]) -> Iterator[tuple[int, Step]]:
    """Advance streams of one prompt until each has ended; yields (which, step).

    A step is held back until it is known whether it is the last.

    Raises:
        LabError: the engine failed; all that came was yielded before.
    """
    first = streams[0]
    room = first.config.max_new_tokens - first.index
    if room < 1:
        return
    asked, seeds = replace(first.config, max_new_tokens=room), [one.seed for one in streams]
    held: dict[int, Step] = {}
    events = first.lm.draw(first.ids, asked, seeds, lambda which: streams[which].finish is None)
    try:
        with closing(events):
            for which, event in events:
                stream, last = streams[which], held.pop(which, None)
                if isinstance(event, str):
                    if last is not None:
                        yield which, stream.end(last, "end" if event == "stop" else "length")
                    continue
                if last is not None:
                    yield which, last
                if stream.finish is None:
                    step = stream.take(_step(stream, event))
                    if step.finish:
                        yield which, step
                    else:
                        held[which] = step
    except LabError:
        yield from held.items()
        raise


def _step(stream: Stream, event: Drawn) -> Step:
    config, text = stream.config, stream.lm.vocabulary.reader(stream.ids)
    plain = _shapes_nothing(config)
    top = tuple(
        Candidate(token, text(token), min(logprob, 0.0), math.exp(logprob) if plain else None)
        for token, logprob in event.top[: config.alternatives]
    )
    return Step(
        index=stream.index,
        id=event.id,
        text=text(event.id),
        shown="",
        logprob=min(event.logprob, 0.0),
        probability=math.exp(event.logprob) if plain else None,
        rank=event.rank,
        entropy=None,
        entropy_after=None,
        top=top,
    )


def _shapes_nothing(config: GenerateConfig) -> bool:
    """Whether tokens are drawn from the model's own distribution."""
    shaping = (config.temperature, config.top_p, config.top_k, config.min_p)
    return shaping == (1, 1, 0, 0) and config.repetition_penalty == 1
