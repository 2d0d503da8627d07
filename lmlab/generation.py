"""Completion, one token at a time: what the model believed, what the controls made of it, what was
drawn (the lecture's x_{t+1:T} given x_{1:t}).

One loop serves one stream or many in a batch over one copy of the weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lmlab.completions import FinishReason, Next, Reading, Step
from lmlab.decoding import Decoder
from lmlab.errors import InputError
from lmlab.lm import LM
from lmlab.nexttoken import candidates, keep
from lmlab.sampling import GenerateConfig, draw, entropy, warp
from lmlab.textstream import TextStream
from lmlab.tokens import BosSetting, encode_prompt

# Steps of one completion never reach this, so that each draw has a seed of its own.
STRIDE = 1_000_003


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
        lm: the model.
        prompt: x_{1:t}; empty means: from the start token.
        config: the sampling controls.
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
    for steps in iter_rounds(Decoder(lm, n), streams):
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
    last step has no reason to end where only the asked-for length is reached.
    """
    ids = [*prompt_ids(lm, prompt, bos), *start]
    check_room(lm, ids)
    stream, decoder = Stream(lm, config, ids, len(start), config.seed), Decoder(lm)
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


@dataclass
class Stream:
    """One completion on its way.

    Attributes:
        lm: whose vocabulary and end tokens count.
        config: the sampling controls.
        ids: everything read or drawn so far.
        index: tokens of the completion so far.
        seed: of this stream's draws.
        ends: the tokens that end a text.
    """

    lm: LM
    config: GenerateConfig
    ids: list[int]
    index: int
    seed: int
    finish: FinishReason | None = None
    ends: frozenset[int] = field(init=False)
    _text: TextStream = field(init=False)
    _generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self.ids = list(self.ids)
        self.ends = end_ids(self.lm)
        self._text = TextStream(self.config.stop)
        for token in self.ids[len(self.ids) - self.index :]:
            self._text.feed(self._data(token))
        if self._text.stopped:
            # Whoever goes on after a stop string wants to see what comes then.
            self._text = TextStream(self.config.stop)

    @torch.inference_mode()
    def advance(self, logits: Tensor) -> Step:
        """Draw the next token from logits [V]."""
        logp = logits.log_softmax(-1)
        after = warp(logits, self._seen(logits), self.config)
        # A seed for each position, so that going on from a fork repeats what was drawn there.
        self._generator.manual_seed((self.seed * STRIDE + self.index) % 2**63)
        token = draw(after, self._generator, greedy=self.config.greedy)
        self.ids.append(token)
        shown = self._text.feed(self._data(token))
        self.finish = self._reason(token)
        if self.finish is not None:
            shown += self._text.finish()
        text, logprob = self.lm.vocabulary.text, logp[token]
        step = Step(
            index=self.index,
            id=token,
            text=text(token),
            shown=shown,
            logprob=min(float(logprob), 0.0),
            probability=float(after[token]),
            rank=int((logp > logprob).sum()) + 1,
            entropy=entropy(logp.exp()),
            entropy_after=0.0 if self.config.greedy else entropy(after),
            top=candidates(logp, after, self.config.alternatives, text),
            finish=self.finish,
        )
        self.index += 1
        return step

    def _reason(self, token: int) -> FinishReason | None:
        """Why the completion ends with this token, if it does."""
        if token in self.ends:
            return "end"
        if self._text.stopped:
            return "stop"
        if self.index + 1 >= self.config.max_new_tokens:
            return "length"
        return "context" if len(self.ids) > self.lm.context else None

    def _data(self, token: int) -> bytes:
        return b"" if token in self.ends else self.lm.vocabulary.data(token)

    def _seen(self, logits: Tensor) -> Tensor:
        """What the repetition penalty looks at; nothing is built where there is no penalty."""
        seen = self.ids if self.config.repetition_penalty != 1 else self.ids[-1:]
        return torch.tensor(seen, device=logits.device)


def rounds(decoder: Decoder, streams: Sequence[Stream]) -> Iterator[list[tuple[int, Step]]]:
    """Advance streams of one prompt together until each has ended; yields [(which, step), …]."""
    for steps in iter_rounds(decoder, streams):
        if not isinstance(steps, Reading):
            yield steps


def iter_rounds(
    decoder: Decoder, streams: Sequence[Stream]
) -> Iterator[Reading | list[tuple[int, Step]]]:
    """Like ``rounds``, with how far the reading of a long prompt is."""
    live = list(range(len(streams)))
    logits = yield from decoder.reading(streams[0].ids)
    while True:
        yield [(i, streams[i].advance(row)) for i, row in zip(live, logits, strict=True)]
        going = [place for place, i in enumerate(live) if streams[i].finish is None]
        if not going:
            return
        if len(going) < len(live):
            decoder.keep(going)
            live = [live[place] for place in going]
        logits = decoder.feed([streams[i].ids[-1] for i in live])


def end_ids(lm: LM) -> frozenset[int]:
    """The tokens that end a text, from the model's generation config, else its tokenizer."""
    config = getattr(lm.model, "generation_config", None)
    found = getattr(config, "eos_token_id", None)
    if found is None:
        found = lm.tokenizer.eos_token_id
    return frozenset([] if found is None else found if isinstance(found, list) else [found])
