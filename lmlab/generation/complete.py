"""Completion, one token at a time: what the model believed, what the controls made of it, what was
drawn (the lecture's x_{t+1:T} given x_{1:t}).
"""

from collections.abc import Iterator, Sequence

from lmlab.errors import InputError
from lmlab.generation.completions import Next, Step
from lmlab.generation.sampling import GenerateConfig, keep
from lmlab.generation.served import drawn, draws_itself
from lmlab.generation.streams import Stream, iter_rounds, rounds
from lmlab.models.model import LM
from lmlab.models.tokens import BosSetting, encode_prompt
from lmlab.progress import Reading

__all__ = [
    "Stream",
    "check_room",
    "generate",
    "iter_sample",
    "prompt_ids",
    "rounds",
    "sample",
    "unfold",
]


def generate(
    lm: LM,
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    start: Sequence[int] = (),
    bos: BosSetting = "tokenizer",
) -> Iterator[Step]:
    """Complete a prompt; yields each token as soon as it is drawn.

    Args:
        prompt: x_{1:t}; empty means: from the start token.
        start: tokens of the completion that are fixed already, for going on from a fork.
        bos: what stands before the prompt.

    Raises:
        InputError: the prompt is longer than the model's context, or empty with no start token.
        ModelError: the model gives not-a-number.
    """
    for _, step in sample(lm, prompt, config, n=1, start=start, bos=bos):
        yield step


def sample(
    lm: LM,
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    n: int,
    start: Sequence[int] = (),
    bos: BosSetting = "tokenizer",
) -> Iterator[tuple[int, Step]]:
    """n completions at once, with seeds from ``config.seed`` on; yields (which, step)."""
    for event in iter_sample(lm, prompt, config, n=n, start=start, bos=bos):
        if not isinstance(event, Reading):
            yield event


def iter_sample(
    lm: LM,
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    n: int,
    start: Sequence[int] = (),
    bos: BosSetting = "tokenizer",
) -> Iterator[Reading | tuple[int, Step]]:
    """Like ``sample``, with how far the reading of a long prompt is."""
    config = config or GenerateConfig()
    ids = [*prompt_ids(lm, prompt, bos), *start]
    check_room(lm, ids)
    streams = [Stream(lm, config, ids, len(start), config.seed + i) for i in range(n)]
    if draws_itself(lm):
        yield from drawn(streams)
        return
    for steps in iter_rounds(lm.decoder(n), streams):
        if isinstance(steps, Reading):
            yield steps
        else:
            yield from steps


def unfold(
    lm: LM,
    prompt: str,
    config: GenerateConfig,
    *,
    start: Sequence[int] = (),
    bos: BosSetting = "tokenizer",
) -> Iterator[Reading | Next | Step]:
    """Like ``generate``, with the belief about the next token before each step and after the last,
    and how far the reading of a long prompt is.

    A completion that is as long as ``config.max_new_tokens`` already gets that belief alone. The
    last step has no reason to end where only the asked-for length is reached. Of a model that draws
    by itself there are steps alone.
    """
    ids = [*prompt_ids(lm, prompt, bos), *start]
    check_room(lm, ids)
    stream = Stream(lm, config, ids, len(start), config.seed)
    if draws_itself(lm):
        yield from (step for _, step in drawn([stream]))
        return
    decoder = lm.decoder()
    logits = (yield from decoder.reading(ids))[0]
    while True:
        yield keep(stream.ids, logits, stream.ends, lm.vocabulary)
        if stream.index >= config.max_new_tokens:
            return
        step = stream.advance(logits)
        yield step
        if step.finish in ("end", "stop", "context") or len(stream.ids) > lm.context:
            return
        logits = decoder.feed([step.id])[0]


def prompt_ids(lm: LM, prompt: str, bos: BosSetting = "tokenizer") -> list[int]:
    """The ids that a completion goes on from."""
    return encode_prompt(lm.vocabulary, prompt, bos)


def check_room(lm: LM, ids: Sequence[int]) -> None:
    """Refuse a prompt that the model cannot read whole."""
    if len(ids) > lm.context:
        raise InputError(
            f"The prompt has {len(ids):,} tokens; ‘{lm.name}’ reads at most {lm.context:,}.",
            f"Shorten it by at least {len(ids) - lm.context:,} tokens.",
        )
