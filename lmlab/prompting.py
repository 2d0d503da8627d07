"""Prompt design as the page and the command line ask for it, within the settings' limits.

Imports no torch before something is run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmlab import data
from lmlab.choosing import scored
from lmlab.data import Dataset, Row, Table
from lmlab.errors import InputError
from lmlab.models import ModelRef, ModelStore
from lmlab.prompts import Prompt
from lmlab.protocols import Protocol
from lmlab.reading import Answer
from lmlab.results import Loading
from lmlab.settings import Settings
from lmlab.templates import PromptTemplate, shipped_source, shipped_templates

if TYPE_CHECKING:
    from lmlab.completions import Step
    from lmlab.evaluations import Way
    from lmlab.lm import LM
    from lmlab.pairs import Judged, PairsResult
    from lmlab.studies import Cell, Design, Studying
    from lmlab.tokens import Vocabulary

Ready = Callable[[ModelRef], Iterator[Loading]]

MOST_PROMPTS = 6000
LONGEST_COMPLETION = 64
KNOWN = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt that a model has been given.

    Attributes:
        prompt: in the form that the model got.
        chat: the chat form, where the tokenizer has one.
        n_tokens: of the prompt.
        context: most that the model can read.
    """

    prompt: Prompt
    chat: Prompt | None
    n_tokens: int
    context: int


@dataclass(frozen=True)
class Weighed:
    """The labels by likelihood.

    Attributes:
        labels: in the template's order.
        probabilities: of each, made to sum to one.
        calibrated: the same, divided by what they get after a query without content.
        choices: the label chosen in each way.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    calibrated: tuple[float, ...]
    choices: "dict[Way, str]"


@dataclass(frozen=True)
class Prompting:
    """What can be asked about prompts.

    Attributes:
        store: of models.
        settings: the limits.
        ready: loads a model and says so.
        prepare: imports what runs models.
    """

    store: ModelStore
    settings: Settings
    ready: Ready
    prepare: Callable[[], None]
    _known: "dict[str, tuple[Vocabulary, int]]" = field(default_factory=dict, repr=False)

    def templates(self) -> dict[str, PromptTemplate]:
        """The shipped templates by name."""
        return shipped_templates()

    def source(self, name: str) -> str:
        """The YAML of a shipped template."""
        if name not in self.templates():
            raise InputError(f"There is no template named ‘{name[:60]}’.")
        return shipped_source(name)

    def parse(self, text: str) -> PromptTemplate:
        """A template from YAML; one that ships is known by its text."""
        found = PromptTemplate.parse(text)
        known = self.templates().get(found.name)
        return known if known is not None and self.source(found.name) == text else found

    def sets(self) -> list[str]:
        """Names of the shipped sets that some template fits."""
        wanted = {template.data for template in self.templates().values()}
        return [name for name in data.shipped_sets() if name in wanted]

    def dataset(self, name: str, split: str = "test") -> Dataset:
        """A shipped set."""
        return data.shipped(name, split)

    def table(self, content: bytes | str, name: str) -> Table:
        """A visitor's table."""
        return data.read_table(content, name)

    def measure(self, model: str, prompt: str) -> tuple[int, int]:
        """A prompt's length in tokens, and how many the model can read."""
        self.prepare()
        from lmlab.tokens import encode_prompt

        self._check(prompt)
        if model not in self._known:
            ref = ModelRef.parse(model)
            for _ in self.ready(ref):
                pass
            with self.store.borrow(ref) as lm:
                while len(self._known) >= KNOWN:
                    self._known.pop(next(iter(self._known)))
                self._known[model] = (lm.vocabulary, lm.context)
        vocabulary, context = self._known[model]
        return len(encode_prompt(vocabulary, prompt)), context

    def run(
        self,
        model: str,
        template: PromptTemplate,
        examples: Sequence[Row],
        query: Row,
        *,
        chat: bool | None = None,
    ) -> "Iterator[Loading | Asked | Step | Answer | Weighed]":
        """One query: the prompt, the completion token by token, G's reading of it, the labels."""
        self.prepare()
        from lmlab.asking import Asking, content_free
        from lmlab.sharedprefix import can_share

        blanks = content_free(template)
        instruction, pieces = template.pieces([query, *blanks, *examples])
        shown = pieces[1 + len(blanks) :]
        ref = ModelRef.parse(model)
        yield from self.ready(ref)
        with self.store.borrow(ref) as lm:
            protocol = Protocol(chat=chat)
            share = can_share(lm)
            asking = Asking(lm, template, protocol, instruction, pieces[1 : 1 + len(blanks)], share)
            prompt = asking.prompt(shown, pieces[0])
            self._check(prompt.text)
            yield self._asked(lm, asking, prompt, shown, pieces[0])
            yield from _written(lm, template, prompt)
            if template.labels:
                yield _weighed(asking, shown, prompt)

    def study(self, designs: "Sequence[Design]") -> "Iterator[Loading | Studying | Cell]":
        """Measure designs one after another."""
        self.prepare()
        from lmlab.studies import iter_study

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
            yield from self.ready(ModelRef.parse(name))
        yield from iter_study(self._borrow, designs)

    def judge(self, model: str, good: str, bad: str) -> "Iterator[Loading | Judged]":
        """Which of two sentences a model prefers."""
        self.prepare()
        from lmlab.pairs import Pair, judge

        for text in (good, bad):
            self._check(text)
        ref = ModelRef.parse(model)
        yield from self.ready(ref)
        with self.store.borrow(ref) as lm:
            yield judge(lm, [Pair("own", good, bad)])[0]

    def judge_all(self, model: str) -> "Iterator[Loading | PairsResult]":
        """The shipped minimal pairs."""
        self.prepare()
        from lmlab.pairs import iter_pairs, shipped_pairs

        ref = ModelRef.parse(model)
        yield from self.ready(ref)
        with self.store.borrow(ref) as lm:
            yield from iter_pairs(lm, shipped_pairs())

    def _asked(self, lm: "LM", asking: Any, prompt: Prompt, shown: Any, query: Any) -> Asked:
        from lmlab.chat import as_chat, has_chat
        from lmlab.generation import check_room
        from lmlab.tokens import encode_prompt

        ids = encode_prompt(lm.vocabulary, prompt.text)
        check_room(lm, ids)
        chat = None
        if has_chat(lm.vocabulary):
            chat = as_chat(lm.vocabulary, asking.instruction, shown, query)
        return Asked(prompt, chat, len(ids), lm.context)

    def _borrow(self, name: str) -> "AbstractContextManager[LM]":
        return self.store.borrow(ModelRef.parse(name))

    def _check(self, text: str) -> None:
        if len(text) > self.settings.max_chars:
            raise InputError(
                f"The prompt has {len(text):,} characters; at most {self.settings.max_chars:,} are "
                "read.",
                "Take fewer or shorter examples.",
            )


def _written(lm: "LM", template: PromptTemplate, prompt: Prompt) -> "Iterator[Step | Answer]":
    """The greedy completion, then what G reads in it."""
    from lmlab.generation import generate
    from lmlab.sampling import GenerateConfig

    config = GenerateConfig(max_new_tokens=LONGEST_COMPLETION, temperature=0, stop=template.stop)
    text, ended = "", False
    for step in generate(lm, prompt.text, config):
        text += step.shown
        ended = step.finish in ("end", "stop")
        yield step
    yield template.decode(text, ended=ended)


def _weighed(asking: Any, shown: Any, prompt: Prompt) -> Weighed:
    from lmlab.agreement import softmax
    from lmlab.choosing import best

    logprobs, blank = asking.weigh(shown, prompt)
    labels = tuple(prompt.targets)
    ways = scored(logprobs, list(prompt.targets.values()), blank)
    return Weighed(
        labels,
        softmax(ways["sum"]),
        softmax(ways["calibrated"]) if "calibrated" in ways else (),
        {way: best(values, labels) for way, values in ways.items()},
    )
