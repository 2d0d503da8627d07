"""What is measured of a model on its way: losses on held-out rows and on general text, answers,
samples. The model is left in evaluation mode.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lmlab.generation.complete import Stream, rounds
from lmlab.generation.sampling import GenerateConfig
from lmlab.models.backends.transformers.adapters import Adapters, Attached
from lmlab.models.backends.transformers.model import TransformersLM
from lmlab.models.backends.transformers.ways import choose
from lmlab.models.chat import turn_end
from lmlab.text.templates import PromptTemplate
from lmlab.training.answering import share_right
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import Evaluated, Sampled, SampleToken
from lmlab.training.examples import Example, structured
from lmlab.training.losses import Ask, keeps, mean_loss
from lmlab.training.methods import Tuned
from lmlab.training.sets import PLAIN, probe_texts

LONGEST_ANSWER = 32
# Tokens of a plain text that a sample goes on from.
OPENING = 12


@dataclass(frozen=True)
class Measures:
    """What is measured, and with what."""

    tuned: Tuned  # the model
    valid: Sequence[Example]  # held-out rows
    probe: Sequence[Example]  # general texts
    template: PromptTemplate | None  # reads answers; None where rows are plain text
    autocast: Callable[[], Any] = nullcontext  # makes the context that the model is run in
    # called between rows and between tokens; raises where the run is to end
    ask: Ask = lambda: None
    _keep: bool = field(init=False, default=False)
    _turn_end: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keep", keeps(self.tuned.base))
        if self.tuned.config.form == "chat":
            object.__setattr__(self, "_turn_end", turn_end(self.tuned.vocabulary))

    def evaluate(self, step: int) -> Evaluated:
        """Losses and accuracy after some steps; at step 0 general text is read by the base,
        unless the run goes on from an adapter."""
        started = time.perf_counter()
        tuned = self.tuned
        tuned.model.eval()
        device, ask = tuned.base.device, self.ask
        with self.autocast():
            valid = mean_loss(tuned.model, self.valid, tuned.soft, self._keep, device, ask)
            if step or tuned.goes_on or not tuned.config.is_adapter:
                probe = mean_loss(tuned.model, self.probe, tuned.soft, self._keep, device, ask)
            elif tuned.soft:
                probe = mean_loss(tuned.base, self.probe, 0, self._keep, device, ask)
            else:
                with tuned.model.disable_adapter():
                    probe = mean_loss(tuned.model, self.probe, 0, self._keep, device, ask)
            accuracy = self._accuracy()
        return Evaluated(step, valid, probe, accuracy, time.perf_counter() - started)

    def samples(self, step: int) -> Iterator[Sampled]:
        """Greedy completions of the first held-out rows."""
        lm = self._lm()
        for index, example in enumerate(self.valid[: self.tuned.config.samples]):
            ids = _opening(example)
            with self.autocast():
                stream = Stream(lm, self._greedy, ids, 0, 0)
                found = []
                for part in rounds(lm.decoder(), [stream]):
                    self.ask()
                    found += [one for _, one in part]
            yield Sampled(
                step=step,
                index=index,
                prompt=self._read(ids[example.lead :]),
                truth=self._read(example.ids[len(ids) :]),
                text="".join(one.shown for one in found),
                tokens=tuple(SampleToken(one.id, one.text, one.logprob) for one in found),
            )

    def _accuracy(self) -> float | None:
        """Share of held-out rows that are answered right, as ``evaluate`` counts."""
        rows = self.valid[: self.tuned.config.answer_rows]
        asked = [(row.asked, row.truth) for row in rows if row.asked and row.truth is not None]
        if self.template is None or not asked:
            return None
        return share_right(self._lm(), self.template, asked, self._greedy, self.ask)

    @property
    def _greedy(self) -> GenerateConfig:
        stop = self.template.stop if self.template else ()
        stop = (*stop, self._turn_end) if self._turn_end else stop
        return GenerateConfig(
            max_new_tokens=LONGEST_ANSWER, temperature=0, stop=stop, alternatives=0
        )

    def _lm(self) -> TransformersLM:
        """The model as generation asks for it, with whatever it has learned."""
        tuned = self.tuned
        tuned.model.eval()
        soft = tuned.soft_prompt()
        attached = Attached(plain=tuned.config.method != "lora", soft_prompt=soft)
        ways = choose(tuned.base, soft)
        adapters = Adapters(tuned.base)
        return TransformersLM(
            "", tuned.base, tuned.vocabulary, ways, tuned.context, adapters, attached
        )

    def _read(self, ids: Sequence[int]) -> str:
        text: str = self.tuned.vocabulary.tokenizer.decode(list(ids), skip_special_tokens=False)
        ends = (self._turn_end, self.tuned.vocabulary.tokenizer.eos_token)
        return next((text.removesuffix(end) for end in ends if end and text.endswith(end)), text)


def probes(tuned: Tuned, config: FinetuneConfig) -> list[Example]:
    """General texts as examples; every token but the first carries loss."""
    plain = replace(config, form="plain", loss_on="all", end_token=False, max_length=0)
    rows = [{PLAIN: text} for text in probe_texts(config.probe_rows)]
    return list(structured(tuned.vocabulary, None, rows, plain, tuned.context))


def _opening(example: Example) -> list[int]:
    """What a sample goes on from: the prompt, or a plain text's first tokens."""
    end = example.answer_from
    if end <= example.lead:
        end = max(1, min(example.lead + OPENING, len(example.ids) // 2))
    return list(example.ids[:end])


def autocast_of(device: torch.device, precision: str) -> Callable[[], Any]:
    """Makes the context for a computation in half precision, or one that changes nothing."""
    if precision == "float32":
        return nullcontext
    return lambda: torch.autocast(device.type, getattr(torch, precision))
