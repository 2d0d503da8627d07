"""One query through a model: the prompt as it gets it, the completion, the choices by likelihood.

Imports no torch before something is run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmlab.models.forms import Form
from lmlab.text.choosing import scored
from lmlab.text.parts import Prompt
from lmlab.text.reading import Answer
from lmlab.text.templates import PromptTemplate

if TYPE_CHECKING:
    from lmlab.generation.completions import Step
    from lmlab.models.model import LM
    from lmlab.text.predictions import Way

LONGEST_COMPLETION = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as a model is given it."""

    prompt: Prompt  # in the form that the model gets
    plain: Prompt | None  # the plain form, where the model gets its tokenizer's chat form
    n_tokens: int  # of the prompt
    context: int  # most that the model can read
    form: Form = "plain"  # that the prompt has
    notes: tuple[str, ...] = ()  # what a reader has to know, in sentences


@dataclass(frozen=True)
class Weighed:
    """The labels, or a row's options, by likelihood."""

    labels: tuple[str, ...]  # in the template's order, or the row's
    probabilities: tuple[float, ...]  # of each, made to sum to one
    # the same, divided by what they get after a query without content
    calibrated: tuple[float, ...]
    choices: "dict[Way, str]"  # the label chosen in each way


def in_full(lm: "LM", prompt: Prompt, plain: Prompt | None, notes: tuple[str, ...] = ()) -> Asked:
    """A prompt with its length.

    Raises:
        InputError: it leaves no room for an answer.
    """
    from lmlab.generation.complete import check_room
    from lmlab.models.tokens import encode_prompt

    ids = encode_prompt(lm.vocabulary, prompt.text)
    check_room(lm, ids)
    form: Form = "plain" if plain is None else "chat"
    return Asked(prompt, plain, len(ids), lm.context, form, notes)


def written(
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


def weighed(asking: Any, shown: Any, prompt: Prompt) -> Weighed:
    """The choices of one prompt by likelihood."""
    from lmlab.maths.agreement import softmax
    from lmlab.text.choosing import best

    logprobs, blank = asking.weigh(shown, prompt)
    labels = tuple(prompt.targets)
    ways = scored(logprobs, list(prompt.targets.values()), blank)
    return Weighed(
        labels,
        softmax(ways["sum"]),
        softmax(ways["calibrated"]) if "calibrated" in ways else (),
        {way: best(values, labels) for way, values in ways.items()},
    )
