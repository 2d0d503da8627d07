"""Completion, one token at a time: what the model believed, what the controls made of it, what was
drawn (the lecture's x_{t+1:T} given x_{1:t}).

One loop serves one stream or many in a batch over one copy of the weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from lmlab.completions import Candidate, FinishReason, Step
from lmlab.errors import InputError, ModelError
from lmlab.loading import LM
from lmlab.sampling import GenerateConfig, draw, warp
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
    config = config or GenerateConfig()
    ids = [*prompt_ids(lm, prompt, bos), *start]
    check_room(lm, ids)
    streams = [Stream(lm, config, ids, len(start), config.seed + i) for i in range(n)]
    yield from run(Decoder(lm), streams)


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


class Decoder:
    """Runs the model on what is new and keeps the rest in a cache; one sequence a row."""

    def __init__(self, lm: LM) -> None:
        self._lm = lm
        self._cache = DynamicCache(config=lm.model.config)
        self._fresh = True

    @torch.inference_mode()
    def feed(self, ids: Tensor) -> Tensor:
        """Read ids [R, T]; the logits [R, V] of what comes next, in float32."""
        model, prompt = self._lm.model, self._lm.soft_prompt
        inputs = {"input_ids": ids}
        if self._fresh and prompt is not None:
            embedded = model.get_input_embeddings()(ids)
            soft = prompt.expand(len(ids), *prompt.shape)
            inputs = {"inputs_embeds": torch.cat([soft, embedded], 1)}
        self._fresh = False
        output = model(**inputs, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits: Tensor = output.logits[:, -1].float()
        if logits.isnan().any():
            raise ModelError(
                f"‘{self._lm.name}’ gives not-a-number for this prompt.",
                "Its weights may be damaged.",
            )
        return logits


@dataclass
class Stream:
    """One completion on its way.

    Attributes:
        lm: whose vocabulary and end tokens count.
        config: the sampling controls.
        ids: everything read or drawn so far.
        index: tokens of the completion so far.
        seed: of this stream's draws.
    """

    lm: LM
    config: GenerateConfig
    ids: list[int]
    index: int
    seed: int
    finish: FinishReason | None = None
    _text: TextStream = field(init=False)
    _generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self.ids = list(self.ids)
        self._text = TextStream(self.config.stop)
        for token in self.ids[len(self.ids) - self.index :]:
            self._text.feed(self._data(token))

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
        step = Step(
            index=self.index,
            id=token,
            text=self.lm.vocabulary.text(token),
            shown=shown,
            logprob=min(float(logp[token]), 0.0),
            probability=float(after[token]),
            rank=int((logp > logp[token]).sum()) + 1,
            entropy=_entropy(logp.exp()),
            entropy_after=_entropy(after),
            top=self._candidates(logp, after),
            finish=self.finish,
        )
        self.index += 1
        return step

    def _reason(self, token: int) -> FinishReason | None:
        """Why the completion ends with this token, if it does."""
        if token in end_ids(self.lm):
            return "end"
        if self._text.stopped:
            return "stop"
        if self.index + 1 >= self.config.max_new_tokens:
            return "length"
        return "context" if len(self.ids) > self.lm.context else None

    def _data(self, token: int) -> bytes:
        return b"" if token in end_ids(self.lm) else self.lm.vocabulary.data(token)

    def _seen(self, logits: Tensor) -> Tensor:
        """What the repetition penalty looks at; nothing is built where there is no penalty."""
        seen = self.ids if self.config.repetition_penalty != 1 else self.ids[-1:]
        return torch.tensor(seen, device=logits.device)

    def _candidates(self, logp: Tensor, after: Tensor) -> tuple[Candidate, ...]:
        top = logp.topk(min(self.config.alternatives, len(logp)))
        columns = (top.indices.tolist(), top.values.tolist(), after[top.indices].tolist())
        text = self.lm.vocabulary.text
        return tuple(
            Candidate(i, text(i), min(lp, 0.0), p) for i, lp, p in zip(*columns, strict=True)
        )


def run(decoder: Decoder, streams: Sequence[Stream]) -> Iterator[tuple[int, Step]]:
    """Advance streams of equal length together until each has ended; yields (which, step)."""
    device = streams[0].lm.device
    logits = decoder.feed(torch.tensor([stream.ids for stream in streams], device=device))
    while True:
        for i, stream in enumerate(streams):
            if stream.finish is None:
                yield i, stream.advance(logits[i])
        if all(stream.finish for stream in streams):
            return
        # A row that has ended goes on reading its last token; nobody looks at what it predicts.
        newest = [[stream.ids[-1]] for stream in streams]
        logits = decoder.feed(torch.tensor(newest, device=device))


def end_ids(lm: LM) -> frozenset[int]:
    """The tokens that end a text, from the model's generation config, else its tokenizer."""
    config = getattr(lm.model, "generation_config", None)
    found = getattr(config, "eos_token_id", None)
    if found is None:
        found = lm.tokenizer.eos_token_id
    return frozenset([] if found is None else found if isinstance(found, list) else [found])


def _entropy(p: Tensor) -> float:
    return float(torch.special.entr(p).sum())
