"""Notes of what the Prompt tab shows: title and receipt."""

import uuid
from collections.abc import Callable

from lmlab.features.prompt import receipt as prompts
from lmlab.features.prompt.measure_events import Measured
from lmlab.features.prompt.receipt import Question
from lmlab.features.prompt.run import Ran
from lmlab.features.prompt.service import Prompting
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note, quoted
from lmlab.receipts.completions import completion


def of_query(ran: Ran | None) -> Note | None:
    """One query on the Prompt tab: its choices by likelihood, else its completion."""
    if ran is None:
        return None
    prompt = ran.asked.prompt

    def write() -> str:
        if ran.weighed:
            return prompts.choices(
                ran.model,
                prompt.text,
                prompt.targets,
                ran.weighed.probabilities,
                ran.asked.form,
            )
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
                Question(prompt.text, prompt.targets or {truth: prompt.target}, truth)
                for row, draw, prompt, truth in lab.service(Prompting).prompts_of(design)
                if (row, draw) in known
            ]
            return prompts.evaluation(found, questions)

        title = f"{found.data}, {found.template}: {', '.join(name for name, _ in measured.results)}"
        return Note(
            f"study {found.template} {found.seconds}",
            f"Study of {title}; receipt of {label}",
            write,
        )

    return note
