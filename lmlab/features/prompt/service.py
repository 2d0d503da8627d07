"""Prompt design as the page and the command line ask for it, within the settings' limits.

Imports no torch before something is run.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmlab.budget import Measure
from lmlab.errors import InputError
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.maths.agreement import softmax
from lmlab.models.fair_lock import stepwise
from lmlab.models.forms import Form
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading
from lmlab.text.choosing import Way, best, scored
from lmlab.text.parts import Prompt
from lmlab.text.protocols import Protocol, asked, drawn
from lmlab.text.reading import Answer
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import tuned_wording

if TYPE_CHECKING:
    from lmlab.features.prompt.asking import Asking
    from lmlab.features.prompt.evaluations import Evaluation
    from lmlab.features.prompt.studies import Cell, Design, Steps
    from lmlab.generation.completions import Step
    from lmlab.models.model import LM
    from lmlab.models.tokens import Vocabulary
    from lmlab.scoring.pairs import Judged, MinimalPair, PairsResult

# A model's tokens, how many it can read, and the form that it was tuned in.
Known = tuple["Vocabulary", int, Form | None]

MOST_PROMPTS = 6000
MOST_PAIRS = 2000
KNOWN = 16
LONGEST_COMPLETION = 64
SHORTER = "Take fewer or shorter examples."


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as a model is given it."""

    prompt: Prompt
    plain: Prompt | None  # its plain form, where the model gets its tokenizer's chat form
    n_tokens: int
    context: int  # most tokens that the model can read
    notes: tuple[str, ...] = ()  # what a reader has to know, in sentences

    @property
    def form(self) -> Form:
        """That the prompt has."""
        return "plain" if self.plain is None else "chat"


@dataclass(frozen=True)
class Weighed:
    """The labels, or a row's options, by likelihood."""

    labels: tuple[str, ...]  # in the template's order, or the row's
    probabilities: tuple[float, ...]  # of each, made to sum to one
    calibrated: tuple[float, ...]  # the same, divided by what they get after no content
    choices: dict[Way, str]  # the label chosen in each way


@dataclass(frozen=True)
class Prompting:
    """What can be asked about prompts."""

    lab: Lab
    _known: dict[str, Known] = field(default_factory=dict, repr=False)

    def tuned(self, name: str) -> PromptTemplate | None:
        """The wording of a set that an embedded model was tuned on; its ``tuned`` names the model.

        None where there is none, or where that model is not here.
        """
        found = tuned_wording(name)
        if found is None:
            return None
        ref = ModelRef.parse(found.tuned)
        adapter = ref.adapter is None or ref.adapter in self.lab.store.embedded_adapters()
        return found if adapter and ref.name in self.lab.store.embedded() else None

    def preview(
        self,
        model: str,
        template: PromptTemplate,
        examples: Sequence[Row],
        query: Row,
        *,
        form: Form | None = None,
    ) -> Asked:
        """The prompt in the form that a model gets, its length, and the plain form beside it.

        Raises:
            LabError: the model cannot be read, or has no chat form.
        """
        import_core()
        from lmlab.features.prompt.asking import notes_of
        from lmlab.models.tokens import encode_prompt
        from lmlab.text.chat import Rendered, form_for

        found = Rendered.of(template, [query], [examples])
        (plain,) = found.plain()
        self.lab.check_length(plain.text, "The prompt", SHORTER)
        vocabulary, context, learned = self._vocabulary(model)
        taken = form_for(vocabulary, template, form, learned)
        (prompt,) = found.prompts(vocabulary, taken)
        n_tokens = len(encode_prompt(vocabulary, prompt.text))
        notes = tuple(notes_of(vocabulary, template, examples, [query], taken, learned))
        return Asked(prompt, plain if taken == "chat" else None, n_tokens, context, notes)

    def _vocabulary(self, model: str) -> Known:
        """What is known of a model; loads it the first time."""
        if model not in self._known:
            ref = ModelRef.parse(model)
            for _ in self.lab.ready(ref):
                pass
            with self.lab.store.borrow(ref) as lm:
                while len(self._known) >= KNOWN:
                    self._known.pop(next(iter(self._known)))
                self._known[model] = (lm.vocabulary, lm.context, lm.form)
        return self._known[model]

    @runs_models("model")
    def run(
        self,
        model: str,
        template: PromptTemplate,
        examples: Sequence[Row],
        query: Row,
        *,
        form: Form | None = None,
    ) -> "Iterator[Loading | Asked | Step | Answer | Weighed]":
        """One query: the prompt, the completion token by token, G's reading of it, the labels."""
        import_core()
        from lmlab.features.prompt.asking import Asking, notes_of, prepared
        from lmlab.generation.complete import check_room
        from lmlab.models.tokens import encode_prompt

        given = prepared(template, [query], [examples])
        ref = ModelRef.parse(model)
        yield from self.lab.ready(ref)
        with self.lab.store.borrow(ref) as lm:
            asking = Asking(lm, template, Protocol(form=form), *given)
            (prompt,), (plain,) = asking.prompts(), asking.rendered.plain()
            self.lab.check_length(prompt.text, "The prompt", SHORTER)
            notes = notes_of(lm.vocabulary, template, examples, [query], asking.form, lm.form)
            ids = encode_prompt(lm.vocabulary, prompt.text)
            check_room(lm, ids)
            beside = plain if asking.form == "chat" else None
            yield Asked(prompt, beside, len(ids), lm.context, tuple(notes))
            yield from stepwise([lm], _written(lm, template, prompt, asking.form))
            if template.chooses:
                yield _weighed(asking, prompt)

    def study(self, designs: "Sequence[Design]") -> "Iterator[Loading | Cell]":
        """Measure designs, all of them on the same queries."""
        prompts = sum(
            min(len(d.data.queries), d.protocol.limit or len(d.data.queries))
            * (len(d.examples) if d.examples else d.protocol.draws if d.protocol.shots else 1)
            for d in designs
        )
        if prompts > MOST_PROMPTS:
            raise InputError(
                f"That would be {prompts:,} prompts; at most {MOST_PROMPTS:,} are asked at once.",
                "Ask fewer queries, or take fewer draws.",
            )
        for name in dict.fromkeys(design.model for design in designs):
            yield from self.lab.ready(ModelRef.parse(name))
        from lmlab.features.prompt.studies import iter_study

        yield from iter_study(self._ask, designs, self.lab.settings.study_seconds)

    @runs_models("design")
    def _ask(self, design: "Design", places: Sequence[int], before: "Evaluation | None") -> "Steps":
        import_core()
        from lmlab.features.prompt.studies import ask_design

        with self.lab.store.borrow(ModelRef.parse(design.model)) as lm:
            yield from ask_design(lm, design, places, before)

    def prompts_of(self, design: "Design") -> Iterator[tuple[int, int, Prompt, str]]:
        """What a design asks: (row from 1, draw, prompt, true answer), in the form of the model."""
        from lmlab.text.chat import Rendered, form_for

        template, protocol = design.template, design.protocol
        sets = design.examples or drawn(design.data, protocol)
        found = Rendered.of(template, asked(design.data, protocol), sets)
        vocabulary, _, learned = self._vocabulary(design.model)
        form = form_for(vocabulary, template, protocol.form, learned)
        for which in range(len(sets)):
            pairs = zip(found.prompts(vocabulary, form, which), found.queries, strict=True)
            for number, (prompt, piece) in enumerate(pairs, 1):
                yield number, which, prompt, piece.truth or ""

    @runs_models("model")
    def judge(self, model: str, good: str, bad: str) -> "Iterator[Loading | Judged]":
        """Which of two sentences a model prefers."""
        import_core()
        from lmlab.scoring.pairs import MinimalPair, judge

        for text in (good, bad):
            self.lab.check_length(text)
        ref = ModelRef.parse(model)
        yield from self.lab.ready(ref)
        with self.lab.store.borrow(ref) as lm:
            yield judge(lm, [MinimalPair("own", good, bad)])[0]

    @runs_models("model")
    def judge_all(
        self,
        model: str,
        pairs: "Sequence[MinimalPair] | None" = None,
        measure: Measure = "time",
    ) -> "Iterator[Loading | PairsResult]":
        """Many minimal pairs, a visitor's, or the shipped ones: as many as fit the time."""
        import_core()
        from lmlab.scoring.pairs import iter_pairs, shipped_pairs

        if pairs is not None and len(pairs) > MOST_PAIRS:
            raise InputError(
                f"That are {len(pairs):,} pairs; at most {MOST_PAIRS:,} are read at once.",
                "Take a part of them.",
            )
        for pair in pairs or ():
            self.lab.check_length(pair.good + pair.bad)
        ref = ModelRef.parse(model)
        yield from self.lab.ready(ref)
        with self.lab.store.borrow(ref) as lm:
            wanted = shipped_pairs() if pairs is None else pairs
            seconds = math.inf if measure == "all" else self.lab.settings.study_seconds
            yield from stepwise([lm], iter_pairs(lm, wanted, seconds))


def _written(
    lm: "LM", template: PromptTemplate, prompt: Prompt, form: Form
) -> "Iterator[Step | Answer]":
    """The greedy completion, then what G reads in it."""
    from lmlab.generation.complete import generate
    from lmlab.generation.sampling import GenerateConfig
    from lmlab.text.chat import stops_in

    stop = stops_in(lm.vocabulary, form, template.stop)
    config = GenerateConfig(max_new_tokens=LONGEST_COMPLETION, temperature=0, stop=stop)
    text, ended = "", False
    for step in generate(lm, prompt.text, config):
        text += step.shown
        ended = step.finish in ("end", "stop")
        yield step
    yield template.decode(text, ended=ended, targets=prompt.targets)


def _weighed(asking: "Asking", prompt: Prompt) -> Weighed:
    """The choices of one prompt by likelihood."""
    logprobs, blank = asking.weigh(prompt)
    labels = tuple(prompt.targets)
    ways = scored(logprobs, list(prompt.targets.values()), blank)
    calibrated = softmax(ways["calibrated"]) if "calibrated" in ways else ()
    choices = {way: best(values, labels) for way, values in ways.items()}
    return Weighed(labels, softmax(ways["sum"]), calibrated, choices)
