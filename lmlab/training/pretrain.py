"""The training iterator of a model from nothing: fine-tuning's loop over windows of a text, with
the lines that its loss is measured against, and samples from nothing on the way.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import torch

from lmlab.generation.complete import Stream, rounds
from lmlab.generation.sampling import GenerateConfig
from lmlab.maths.levels import entropy_of_counts, per_byte, per_token
from lmlab.training.events import Evaluated, Levels, Sampled, SampleToken, TrainEvent
from lmlab.training.examples import Example, Material
from lmlab.training.finetune import run
from lmlab.training.from_nothing import Matter, window, words_of
from lmlab.training.loop import Loop
from lmlab.training.losses import text_loss
from lmlab.training.measuring import Measures
from lmlab.training.methods import Tuned
from lmlab.training.pacing import Stop
from lmlab.training.pretrain_config import PretrainConfig

# A finished model's name and its bits per byte on some documents; asked once, after the start.
Rival = Callable[[list[str]], tuple[str, float] | None]
SAMPLES = 2
LONGEST = 96  # tokens of a sample
OPENING = 3  # words that the second sample goes on from


def pretrain(
    tuned: Tuned,
    matter: Matter,
    config: PretrainConfig,
    *,
    out: Path | None = None,
    rival: Rival | None = None,
    should_stop: Stop = lambda: None,
) -> Iterator[TrainEvent]:
    """Train; yields events, the last of them ``Finished``.

    Args:
        tuned: of ``building.fresh``; it is changed.
        matter: of ``building.matter``.
        config: the run.
        out: the run's folder, which is gone on from if it holds a checkpoint; None writes nothing.
        rival: measures a finished model on the held-out text, for a line to compare with.
        should_stop: asked after every step; a reason ends the run and keeps what was learned.

    Raises:
        OSError: the disk is full, for instance; the last good checkpoint is kept.
    """
    material = Material(matter.windows, matter.valid)
    return run(PretrainLoop(tuned, material, out, should_stop, None, matter=matter, asked=config,
                            rival=rival))  # fmt: skip


@dataclass
class PretrainLoop(Loop):
    """Fine-tuning's loop over windows that start anywhere in the text."""

    matter: Matter = field(kw_only=True)
    asked: PretrainConfig = field(kw_only=True)
    rival: Rival | None = field(kw_only=True, default=None)

    def batches(self) -> Iterator[list[list[Example]]]:
        """One batch for each step that is left; its places follow from seed and step alone."""
        config, ids, length = self.config, self.matter.ids, self.asked.context
        last = max(0, len(ids) - length)
        for step in range(self.first, config.steps):
            rng = Random(f"{config.seed}/{step}")
            starts = [rng.randint(0, last) for _ in range(config.batch_size)]
            yield [[window(ids, start, length) for start in starts]]

    def measuring(self) -> Measures:
        """Held-out loss as in fine-tuning; samples of its own."""
        material = self.material
        return Growth(
            self.tuned, material.valid, (), None, self.autocast,
            self.pace.ask_measuring, asked=self.asked, matter=self.matter,
        )  # fmt: skip

    def opening(self) -> Iterator[TrainEvent]:
        """The lines that need no model at once, then again with the finished model's."""
        matter = self.matter
        held_bytes = sum(len(text.encode()) for text in matter.held)
        end = int(self.tuned.vocabulary.tokenizer.eos_token_id)
        counts = Counter(matter.ids)
        counts.pop(end, None)
        known = Levels(
            uniform=math.log(len(self.tuned.vocabulary.tokenizer)),
            unigram=entropy_of_counts(counts.values()),
            bytes_per_token=held_bytes / matter.held_tokens,
        )
        yield known
        found = self.rival(list(matter.held)) if self.rival else None
        if found:
            name, bits = found
            base = per_token(bits, held_bytes, matter.held_tokens)
            yield replace(known, base=base, base_name=name)


@dataclass(frozen=True)
class Growth(Measures):
    """What is measured of a model from nothing."""

    asked: PretrainConfig = field(default_factory=PretrainConfig)  # the run's config
    matter: Matter | None = None  # what it learns from

    def evaluate(self, step: int) -> Evaluated:
        """Held-out loss of all tokens, and bits a byte of the text's own."""
        began, tuned = time.perf_counter(), self.tuned
        tuned.model.eval()
        end = int(tuned.vocabulary.tokenizer.eos_token_id)
        with self.autocast():
            loss, nats = text_loss(
                tuned.model, self.valid, self._keep, tuned.base.device, end, self.ask
            )
        n_bytes = sum(len(text.encode()) for text in self.matter.held) if self.matter else 0
        bits = per_byte(nats, n_bytes, 1) if n_bytes else None
        return Evaluated(step, loss, None, None, time.perf_counter() - began, bits)

    def samples(self, step: int) -> Iterator[Sampled]:
        """From nothing, and from the first words of the held-out text: the same draws each time."""
        lm, vocabulary = self._lm(), self.tuned.vocabulary
        length = min(LONGEST, self.asked.context - 1)
        for index, prompt in enumerate(self._prompts()):
            ids = [*vocabulary.leading, *vocabulary.ids(prompt)][-self.asked.context // 2 :]
            controls = GenerateConfig(
                max_new_tokens=length,
                temperature=self.asked.temperature,
                seed=self.asked.seed + index,
                alternatives=0,
            )
            with torch.inference_mode():
                stream = Stream(lm, controls, ids, 0, controls.seed)
                found = []
                for part in rounds(lm.decoder(), [stream]):
                    self.ask()
                    found += [one for _, one in part]
            text = "".join(one.shown for one in found)
            yield Sampled(
                step=step,
                index=index,
                prompt=prompt,
                truth="",
                text=text,
                tokens=tuple(SampleToken(one.id, one.text, one.logprob) for one in found),
                words=self._share(text),
            )

    def _prompts(self) -> list[str]:
        held = self.matter.held if self.matter else ()
        opening = " ".join(held[0].split()[:OPENING]) if held else ""
        return ["", opening][:SAMPLES]

    def _share(self, text: str) -> float | None:
        """Share of the words that the text has; the last, which may be cut, left out."""
        words = words_of(text)
        words = words[:-1] if len(words) > 1 else words
        if not words or self.matter is None:
            return None
        return sum(word in self.matter.words for word in words) / len(words)
