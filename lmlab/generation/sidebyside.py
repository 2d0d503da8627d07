"""The same prompt through several models at once, their completions kept apart.

Base and plain LoRA adapters over one copy of the weights run in one batch; every other model runs
by itself, one token each in turn.
"""

from collections.abc import Iterator, Sequence

from lmlab.generation.complete import check_room, prompt_ids
from lmlab.generation.completions import Step
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.streams import Stream, iter_rounds
from lmlab.models.model import LM
from lmlab.models.tokens import BosSetting
from lmlab.progress import Reading


def generate_side_by_side(
    lms: Sequence[LM],
    prompt: str | Sequence[str],
    config: GenerateConfig | None = None,
    *,
    bos: BosSetting = "tokenizer",
) -> Iterator[tuple[int, Step]]:
    """Complete one prompt with several models; yields (which model, step).

    Each model's steps are those of ``generate`` with the same config, seed included.

    Args:
        lms: from one ``ModelStore.borrow_all``.
        prompt: x_{1:t}, or one for each model.

    Raises:
        InputError: the prompt is longer than some model's context, or empty with no start token.
        ModelError: a model gives not-a-number.
    """
    for event in iter_side_by_side(lms, prompt, config, bos=bos):
        if not isinstance(event, Reading):
            yield event


def iter_side_by_side(
    lms: Sequence[LM],
    prompt: str | Sequence[str],
    config: GenerateConfig | None = None,
    *,
    bos: BosSetting = "tokenizer",
) -> Iterator[Reading | tuple[int, Step]]:
    """Like ``generate_side_by_side``, with how far the reading of a long prompt is."""
    config = config or GenerateConfig()
    streams = []
    prompts = [prompt] * len(lms) if isinstance(prompt, str) else prompt
    for lm, asked in zip(lms, prompts, strict=True):
        ids = prompt_ids(lm, asked, bos)
        check_room(lm, ids)
        streams.append(Stream(lm, config, ids, 0, config.seed))
    turns = [_turns(which, lms, streams) for which in batches(lms)]
    while turns:
        for turn in list(turns):
            steps = next(turn, None)
            if steps is None:
                turns.remove(turn)
            elif isinstance(steps, Reading):
                yield steps
            else:
                yield from steps


def batches(lms: Sequence[LM]) -> list[list[int]]:
    """Which models run together, by their places."""
    able = [lm.stack for lm in lms]
    found: dict[object, list[int]] = {}
    for i, lm in enumerate(lms):
        # Alone there is nothing to prove.
        together = able[i] is not None and able.count(able[i]) > 1 and lm.stacks
        found.setdefault(able[i] if together else ("alone", i), []).append(i)
    return list(found.values())


def _turns(
    which: list[int], lms: Sequence[LM], streams: Sequence[Stream]
) -> Iterator[Reading | list[tuple[int, Step]]]:
    mine = [lms[i] for i in which]
    decoder = mine[0].beside(mine) if len(mine) > 1 else mine[0].decoder()
    for steps in iter_rounds(decoder, [streams[i] for i in which]):
        if isinstance(steps, Reading):
            yield steps
        else:
            yield [(which[place], step) for place, step in steps]
