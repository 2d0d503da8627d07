"""What is measured of a model on its way: losses on held-out rows and on general text, answers,
samples. The model is left in evaluation mode.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from lmlab.generation.answering import complete
from lmlab.generation.complete import Stream, rounds
from lmlab.generation.sampling import GenerateConfig
from lmlab.maths.agreement import exact_match
from lmlab.models.backends.transformers.adapters import Adapters, Attached
from lmlab.models.backends.transformers.model import TransformersLM
from lmlab.models.backends.transformers.ways import choose
from lmlab.models.chat import turn_end
from lmlab.models.model import LM
from lmlab.models.tokens import Encoded, encode, encode_prompt
from lmlab.scoring.likelihoods import likelihoods
from lmlab.text.choosing import best
from lmlab.text.parts import Prompt
from lmlab.text.sets import evenly
from lmlab.text.templates import PromptTemplate
from lmlab.training.batches import Ask, keeps, mean_loss
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import Evaluated, Sampled, SampleToken
from lmlab.training.examples import structured
from lmlab.training.methods import Tuned
from lmlab.training.rows import Example
from lmlab.training.sets import PLAIN, probe_texts
from lmlab.training.sizing import Size

LONGEST_ANSWER = 32
OPENING = 12  # tokens of a plain text that a sample goes on from


@dataclass(frozen=True)
class Measures:
    """What is measured, and with what."""

    tuned: Tuned
    valid: Sequence[Example]  # held-out rows
    probe: Sequence[Example] = ()  # general texts
    template: PromptTemplate | None = None  # reads answers; None where rows are plain text
    autocast: Callable[[], Any] = nullcontext  # makes the context that the model is run in
    ask: Ask = lambda: None  # called between rows and tokens; raises where the run is to end
    size: Size | None = None  # of what is measured; None: of all
    made: dict[int, Sampled] = field(default_factory=dict)  # samples of step 0 that are there

    @cached_property
    def keep(self) -> bool:
        """Whether the model can be asked for the logits of some positions alone."""
        return keeps(self.tuned.base)

    @cached_property
    def _turn_end(self) -> str:
        return turn_end(self.tuned.vocabulary) if self.tuned.config.form == "chat" else ""

    def evaluate(self, step: int) -> Evaluated:
        """Losses and accuracy after some steps; at step 0 general text is read by the base,
        unless the run goes on from an adapter."""
        started, tuned, config = time.perf_counter(), self.tuned, self.tuned.config
        tuned.model.eval()
        device, ask = tuned.base.device, self.ask
        with self.autocast():
            rows = evenly(self.valid, self.size.valid) if self.size else self.valid
            valid = mean_loss(tuned.model, rows, config.soft, self.keep, device, ask)
            untouched = not step and not tuned.goes_on and config.is_adapter
            model = tuned.base if untouched and config.soft else tuned.model
            off = model.disable_adapter() if untouched and not config.soft else nullcontext()
            with off:
                soft = 0 if untouched else config.soft
                texts = evenly(self.probe, self.size.probe) if self.size else self.probe
                probe = mean_loss(model, texts, soft, self.keep, device, ask)
            accuracy = self._accuracy()
        return Evaluated(step, valid, probe, accuracy, time.perf_counter() - started)

    def samples(self, step: int) -> Iterator[Sampled]:
        """Greedy completions of the first held-out rows."""
        lm, count = self.lm(), self.size.samples if self.size else self.tuned.config.samples
        for index, example in enumerate(self.valid[:count]):
            known = None if step else self.made.pop(index, None)
            yield known or self.sample(lm, step, index, example)

    def sample(self, lm: LM, step: int, index: int, example: Example) -> Sampled:
        """The greedy completion of a held-out row."""
        ids = _opening(example)
        text, tokens = self._completed(lm, ids, self._greedy)
        prompt, truth = self._read(ids[example.lead :]), self._read(example.ids[len(ids) :])
        return Sampled(step, index, prompt, truth, text, tokens)

    def _completed(
        self, lm: LM, ids: Sequence[int], controls: GenerateConfig
    ) -> tuple[str, tuple[SampleToken, ...]]:
        with self.autocast():
            parts = rounds(lm.decoder(), [Stream(lm, controls, list(ids), 0, controls.seed)])
            found = []
            for part in parts:
                self.ask()
                found += [one for _, one in part]
        tokens = tuple(SampleToken(one.id, one.text, one.logprob) for one in found)
        return "".join(one.shown for one in found), tokens

    def _accuracy(self) -> float | None:
        """Share of held-out rows that are answered right, as ``evaluate`` counts."""
        asked = self.answerable[: self.size.answers] if self.size else self.answerable
        if self.template is None or not asked:
            return None
        return share_right(self.lm(), self.template, asked, self._greedy, self.ask)

    @cached_property
    def answerable(self) -> list[tuple[Prompt, str]]:
        """The prompts that can be answered, each with its true answer."""
        rows = self.valid[: self.tuned.config.answer_rows]
        return [(row.asked, row.truth) for row in rows if row.asked and row.truth is not None]

    @property
    def _greedy(self) -> GenerateConfig:
        stop = self.template.stop if self.template else ()
        stop = (*stop, self._turn_end) if self._turn_end else stop
        return GenerateConfig(
            max_new_tokens=LONGEST_ANSWER, temperature=0, stop=stop, alternatives=0
        )

    def lm(self) -> TransformersLM:
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


def share_right(
    lm: LM,
    template: PromptTemplate,
    asked: Sequence[tuple[Prompt, str]],
    config: GenerateConfig,
    ask: Ask = lambda: None,
) -> float | None:
    """Share of the prompts that are answered right, counted as ``evaluate`` counts: what is chosen
    by the likelihood of each choice, what is free by greedy completion and G; None where no prompt
    fits.

    Args:
        asked: prompts in the form that the model gets, each with its true answer.
        config: of free answers: the stop strings, and their greatest length.
        ask: called between rows, and between the tokens of an answer.
    """
    fitting = [one for one in asked if _fits(lm, one[0])]
    if not fitting:
        return None
    prompts, truths = [one for one, _ in fitting], [truth for _, truth in fitting]
    if template.chooses:
        right = [a == b for a, b in zip(_chosen(lm, prompts, ask), truths, strict=True)]
    else:
        read = _written(lm, template, prompts, config, ask)
        right = [exact_match(a or "", b) for a, b in zip(read, truths, strict=True)]
    return sum(right) / len(right)


def _fits(lm: LM, prompt: Prompt) -> bool:
    """Whether the model reads the prompt with its longest answer, and something stands before."""
    ends = {prompt.target, *prompt.targets.values()}
    longest = max(len(encode_prompt(lm.vocabulary, prompt.text + end)) for end in ends)
    return longest <= lm.context and _encoded(lm, prompt, prompt.target).n_context > 0


def _encoded(lm: LM, prompt: Prompt, end: str) -> Encoded:
    return encode(lm.vocabulary, end, prompt.text, given=prompt.turn)


def _chosen(lm: LM, prompts: Sequence[Prompt], ask: Ask) -> list[str]:
    """The likeliest choice of each prompt, by the sum of ln p."""
    items = [_encoded(lm, p, end) for p in prompts for end in p.targets.values()]
    found: dict[int, Any] = {}
    for part in likelihoods(lm, items, share=False):
        ask()
        found |= part
    left = (found[place].logprob for place in range(len(items)))
    return [best([next(left) for _ in p.targets], list(p.targets)) for p in prompts]


def _written(
    lm: LM, template: PromptTemplate, prompts: Sequence[Prompt], config: GenerateConfig, ask: Ask
) -> list[str | None]:
    """What G reads in the greedy completion of each prompt."""
    written: dict[int, Any] = {}
    ids = [encode_prompt(lm.vocabulary, prompt.text) for prompt in prompts]
    for part in complete(lm, ids, config, share=False, ask=ask):
        written |= part
    texts = [written[place][0] for place in range(len(prompts))]
    ended = [written[place][1] in ("end", "stop") for place in range(len(prompts))]
    return [answer.value for answer in template.decode_all(texts, ended)]
