"""Completions on their way: one loop advances one stream, or many in a batch over one copy of the
weights; what each token adds is read as text once its characters are whole.
"""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from lmlab.generation.completions import FinishReason, Step
from lmlab.generation.sampling import GenerateConfig, candidates, draw, entropies, warp
from lmlab.models.decoding import Decoder
from lmlab.models.model import LM
from lmlab.progress import Reading

# Steps of one completion never reach this, so that each draw has a seed of its own.
STRIDE = 1_000_003


@dataclass
class TextStream:
    """Turns the bytes of one token after another into characters that may be shown.

    Characters that could be the start of a stop string are held back until that is decided.

    >>> stream = TextStream(("###",))
    >>> [stream.feed(data) for data in (b"a", b"\\xc3", b"\\xa4#", b"#", b"# b")]
    ['a', '', 'ä', '', '']
    >>> stream.stopped
    True
    """

    stops: Sequence[str] = ()
    stopped: bool = False
    _held: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def feed(self, data: bytes) -> str:
        """Add bytes; the characters that can be shown now."""
        return self._take(self._decoder.decode(data), final=False)

    def finish(self) -> str:
        """What was held back, once nothing more comes; half characters become U+FFFD."""
        return self._take(self._decoder.decode(b"", final=True), final=True)

    def _take(self, text: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if final else max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that is a beginning of ``stop``."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


@dataclass
class Stream:
    """One completion on its way."""

    lm: LM  # whose vocabulary and end tokens count
    config: GenerateConfig
    ids: list[int]  # everything read or drawn so far
    index: int  # tokens of the completion so far
    seed: int  # of this stream's draws
    finish: FinishReason | None = None
    ends: frozenset[int] = field(init=False)  # the tokens that end a text
    _text: TextStream = field(init=False)
    _generator: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self.ids = list(self.ids)
        self.ends = self.lm.ends
        self._text = TextStream(self.config.stop)
        for at in range(len(self.ids) - self.index, len(self.ids)):
            self._text.feed(self._data(at))
        if self._text.stopped:
            # Whoever goes on after a stop string wants to see what comes then.
            self._text = TextStream(self.config.stop)

    def advance(self, logits: Tensor) -> Step:
        """Draw the next token from logits [V]."""
        return advance([self], logits[None])[0]

    def draw(self, after: Tensor) -> int:
        """A token from probabilities [V]."""
        # A seed for each position, so that going on from a fork repeats what was drawn there.
        self._generator.manual_seed((self.seed * STRIDE + self.index) % 2**63)
        return draw(after, self._generator, greedy=self.config.greedy)

    def take(self, step: Step) -> Step:
        """Go on with a step's token; the step with what it shows, and with why it is the last."""
        self.ids.append(step.id)
        shown = self._text.feed(self._data(len(self.ids) - 1))
        self.finish = self._reason(step.id)
        if self.finish is not None:
            shown += self._text.finish()
        self.index += 1
        return replace(step, shown=shown, finish=self.finish)

    def end(self, step: Step, reason: FinishReason) -> Step:
        """The newest step, which turned out to be the last one."""
        self.finish = reason
        return replace(step, shown=step.shown + self._text.finish(), finish=reason)

    def _reason(self, token: int) -> FinishReason | None:
        if token in self.ends:
            return "end"
        if self._text.stopped:
            return "stop"
        if self.index + 1 >= self.config.max_new_tokens:
            return "length"
        return "context" if len(self.ids) > self.lm.context else None

    def _data(self, at: int) -> bytes:
        return b"" if self.ids[at] in self.ends else self.lm.vocabulary.read(self.ids, at)


@torch.inference_mode()
def advance(streams: Sequence[Stream], logits: Tensor) -> list[Step]:
    """Draw the next token of each stream, with its own controls, from logits [R, V]."""
    logp = logits.log_softmax(-1)
    after = _controlled(streams, logits)
    tokens = [stream.draw(row) for stream, row in zip(streams, after, strict=True)]
    drawn = torch.tensor(tokens, device=logits.device)[:, None]
    mine = logp.gather(1, drawn)
    texts = [stream.lm.vocabulary.reader(stream.ids) for stream in streams]
    most = max(stream.config.alternatives for stream in streams)
    columns = zip(
        streams,
        tokens,
        mine[:, 0].tolist(),
        after.gather(1, drawn)[:, 0].tolist(),
        (logp > mine).sum(-1).tolist(),
        entropies(logp.exp()),
        [0.0] * len(streams) if all(s.config.greedy for s in streams) else entropies(after),
        candidates(logp, after, most, texts),
        texts,
        strict=True,
    )
    return [
        stream.take(
            Step(
                index=stream.index,
                id=token,
                text=text(token),
                shown="",
                logprob=min(logprob, 0.0),
                probability=probability,
                rank=above + 1,
                entropy=own,
                entropy_after=controlled,
                top=top[: stream.config.alternatives],
            )
        )
        for stream, token, logprob, probability, above, own, controlled, top, text in columns
    ]


def _controlled(streams: Sequence[Stream], logits: Tensor) -> Tensor:
    """Probabilities [R, V] after each stream's controls; streams of the same ones at once."""
    alike: dict[tuple[float, ...], list[int]] = {}
    for row, stream in enumerate(streams):
        c = stream.config
        shaping = (c.temperature, c.top_k, c.top_p, c.min_p, c.repetition_penalty)
        alike.setdefault(shaping, []).append(row)
    if len(alike) == 1:
        return warp(logits, _seen(streams, logits.device), streams[0].config)
    after = torch.empty_like(logits, dtype=torch.float32)
    for rows in alike.values():
        some = [streams[row] for row in rows]
        after[rows] = warp(logits[rows], _seen(some, logits.device), some[0].config)
    return after


def _seen(streams: Sequence[Stream], device: torch.device) -> Tensor:
    """Ids [R, T] so far; only the repetition penalty looks at them. Shorter ones repeat one of
    their own, which changes nothing."""
    penalty = streams[0].config.repetition_penalty != 1
    ids = [one.ids if penalty else one.ids[-1:] for one in streams]
    longest = max(map(len, ids))
    rows = [row + row[-1:] * (longest - len(row)) for row in ids]
    return torch.tensor(rows, device=device)


def rounds(decoder: Decoder, streams: Sequence[Stream]) -> Iterator[list[tuple[int, Step]]]:
    """Advance streams of one prompt together until each has ended; yields [(which, step), …]."""
    for steps in iter_rounds(decoder, streams):
        if not isinstance(steps, Reading):
            yield steps


def iter_rounds(
    decoder: Decoder, streams: Sequence[Stream]
) -> Iterator[Reading | list[tuple[int, Step]]]:
    """Like ``rounds``, with how far the reading of a long prompt is."""
    logits = yield from decoder.reading(streams[0].ids)
    yield from going(decoder, streams, logits)


def going(
    decoder: Decoder, streams: Sequence[Stream], logits: Tensor
) -> Iterator[list[tuple[int, Step]]]:
    """Advance streams, from the logits [R, V] of what comes next, until each ends."""
    live = list(range(len(streams)))
    while True:
        yield list(zip(live, advance([streams[i] for i in live], logits), strict=True))
        kept = [place for place, i in enumerate(live) if streams[i].finish is None]
        if not kept:
            return
        if len(kept) < len(live):
            decoder.keep(kept)
            live = [live[place] for place in kept]
        logits = decoder.feed([streams[i].ids[-1] for i in live])
