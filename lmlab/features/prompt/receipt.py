"""Receipts of prompt designs, and their titles: one query, and a whole evaluation."""

import uuid
from collections.abc import Callable, Mapping, Sequence

from lmlab.errors import InputError
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.events import Ran
from lmlab.features.prompt.measure_events import Measured
from lmlab.features.prompt.service import Prompting
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models.forms import Form
from lmlab.parts.receipt_button import Note, quoted
from lmlab.receipts.script import script
from lmlab.receipts.texts import completion

# A prompt as the model was given it; how it would go on, by choice, or truly; the right choice.
Question = tuple[str, Mapping[str, str], str]


def choices(
    model: str,
    prompt: str,
    targets: Mapping[str, str],
    probabilities: Sequence[float],
    form: Form = "plain",
) -> str:
    """The probability of each choice after one prompt, made to sum to one.

    ``targets`` are how the prompt would go on, by choice; the probabilities stand in their order.

    Raises:
        InputError: there is nothing to choose from.
    """
    if not targets:
        raise InputError("This template has no choices.", "Its completion is what counts.")
    given = {"prompt": prompt, "targets": dict(targets), "form": form}
    return script("features/prompt/choices", [model], shares=probabilities, **given)


def evaluation(found: Evaluation, questions: Sequence[Question]) -> str:
    """Accuracy (of choices, by the sum of ln p) and the true answers' likelihood over a set, from
    all that was asked, in order.

    Raises:
        InputError: so much was asked that the script would be too long.
    """
    asked = [(prompt, dict(targets), truth) for prompt, targets, truth in questions]
    return script("features/prompt/evaluation", [found.model], found=found, asked=asked)


def of_query(ran: Ran | None) -> Note | None:
    """One query on the Prompt tab: its choices by likelihood, else its completion."""
    if ran is None:
        return None
    asked, weighed = ran.asked, ran.weighed
    prompt = asked.prompt

    def write() -> str:
        if weighed:
            shares = weighed.probabilities
            return choices(ran.model, prompt.text, prompt.targets, shares, asked.form)
        done = Completion(ran.model, prompt.text, ran.steps)
        return completion(done, GenerateConfig(temperature=0))

    end = " ".join(prompt.text.split())[-60:]
    return Note(uuid.uuid4().hex, f"Prompt ending in {quoted(end)}, asked of {ran.model}", write)


def of_study(lab: Lab) -> Callable[[Measured | None], Note | None]:
    """A study on the Prompt tab; the receipt is its last design's."""

    def note(measured: Measured | None) -> Note | None:
        if measured is None or measured.last is None:
            return None
        label, found = measured.results[-1]
        design = measured.last

        def write() -> str:
            known = {(p.row, p.draw) for p in found.predictions}
            questions = [
                (prompt.text, prompt.targets or {truth: prompt.target}, truth)
                for row, draw, prompt, truth in lab.service(Prompting).prompts_of(design)
                if (row, draw) in known
            ]
            return evaluation(found, questions)

        title = f"{found.data}, {found.template}: {', '.join(name for name, _ in measured.results)}"
        key = f"study {found.template} {found.seconds}"
        return Note(key, f"Study of {title}; receipt of {label}", write)

    return note
