"""What happens on the Compare tab: handlers that ask the lab and hand results to the views."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.generation.completions import Given, Step
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.parts import shift_strip, stream
from lmlab.parts.asking import advice
from lmlab.parts.forms import Controls
from lmlab.parts.html import html
from lmlab.parts.model_pair import COLUMNS
from lmlab.parts.receipt_button import Note, quoted
from lmlab.parts.stream import STATUS, Busy, Pace, Work, result
from lmlab.parts.strip import Shown, same_tokens
from lmlab.progress import Loading, Progress
from lmlab.receipts import texts
from lmlab.scoring.compared import LN2, Compared

CONTROLS = Controls(
    "compare",
    GenerateConfig(max_new_tokens=32, temperature=0),
    (("temperature", "max_new_tokens", "seed"),),
    sliders=False,
    info=False,
    width=80,
)
PATIENCE = 0.08  # seconds between two drawings of completions on their way


@dataclass(frozen=True)
class Handlers:
    """What Run and Compare do."""

    lab: Lab

    def run(self, prompt: str, chat: bool, alpha: float, *values: Any) -> Work:
        """Complete one prompt with several models; ``values``: their names and the controls."""
        names, asked = chosen(values[:COLUMNS]), CONTROLS.read(*values[COLUMNS:])
        columns = {f"column {i}": gr.update(visible=i < len(names)) for i in range(COLUMNS)}
        steps: list[list[Step]] = [[] for _ in names]
        name, pace, told = uuid.uuid4().hex[:12], Pace(PATIENCE), ""
        prompt = prompt or ""

        def drawn() -> dict[str, Any]:
            return {"advice": told, **_strips(name, names, prompt, steps)}

        yield Busy("reading …", 0, {**drawn(), **columns})
        for event in self.lab.side_by_side(names, prompt, asked, _number(alpha), chat=chat):
            if isinstance(event, Loading):
                # A strip that is not on the page yet forgets what it is where it is skipped.
                yield Busy(event.message, 0, drawn())
            elif isinstance(event, Given):
                told = advice(event, "compare")
            else:
                which, step = event
                steps[which].append(step)
                if pace.is_due():
                    done = step.index + 1
                    yield Busy(f"token {done:,}", done / asked.max_new_tokens, drawn())
        return drawn()

    def shift(
        self,
        prompt: str,
        text: str,
        general: str,
        chat: bool,
        alpha: float,
        first: str,
        second: str,
    ) -> Work:
        """Compare two models on texts."""
        if not text:
            hint = "Type one, or choose an example."
            raise InputError("There is no task text to compare on.", hint)
        yield Busy("comparing …")
        found: list[Compared] = []
        for part, prefix in (given(text, prompt), (general or "", "")):
            if not part:
                continue
            form = chat and bool(prefix)
            dial = _number(alpha)
            steps = self.lab.compare(first, second, part, prefix, alpha=dial, chat=form)
            found.append((yield from result(steps, Compared, _counted)))
        shown = Shown.of([found[0].first, found[0].second])
        return {
            STATUS: stream.said(said(found[0], _number(alpha))),
            "strip": shift_strip.compared(found[0], name=shown.name),
            "sums": sums(found),
            "shown": shown,
        }


def _counted(step: Progress) -> Busy:
    return Busy("comparing …", step.done / max(1, step.total))


def sums(found: Sequence[Compared]) -> str:
    """A table: the task's text under each model, then the general one where there is one."""
    models = found[0].first.model, found[0].second.model
    rows = list(zip(("task text", "general text"), found, strict=False))
    return html("features/compare/views", "sums", *models, rows, all(o.same_tokens for o in found))


def said(found: Compared, alpha: float) -> str:
    """One line about a comparison."""
    if alpha != 1 and not found.second.model.partition(" (")[0].partition("+")[2]:
        return "The second model has no adapter: α changes nothing."
    first, second = (f"{-one.logprob / LN2:,.1f}" for one in (found.first, found.second))
    return f"{first} → {second} bits over the task text."


def note(shown: Shown | None) -> Note | None:
    """Title and receipt of a text under two models."""
    if shown is None or len(shown.runs) < 2:
        return None
    first, second = shown.runs
    base = second.model.partition(" (")[0]
    key = f"compare {first.model} {base} {hash((first.prefix, first.text))}"

    def write() -> str:
        if same_tokens(first, second):
            return texts.two_models(first, second)
        return texts.likelihood(first)

    return Note(key, f"{first.model} against {second.model} on {quoted(first.text)}", write)


def given(text: str, prompt: str | None) -> tuple[str, str]:
    """What is scored, and what it is conditioned on: a text that begins with the prompt is scored
    given the prompt, as tuning saw it.

    >>> given("2 + 2 = 4", "2 + 2 =")
    (' 4', '2 + 2 =')
    """
    if prompt and text.startswith(prompt) and len(text) > len(prompt):
        return text[len(prompt) :], prompt
    return text, ""


def chosen(models: Sequence[str | None]) -> list[str]:
    """The columns that have a model, two at least."""
    names = [name for name in models if name]
    if len(names) < 2:
        raise InputError("Choose two models at least.", "Column 1 and column 2 need one each.")
    return names


def _number(alpha: float | None) -> float:
    if alpha is None:
        raise InputError("α is empty.", "Type a number from −1 to 2.")
    return round(float(alpha), 4)


def _strips(
    name: str, names: Sequence[str], prompt: str, steps: Sequence[Sequence[Step]]
) -> dict[str, str]:
    drawn = [
        shift_strip.flowing(f"{name}-{i}", model, prompt, steps[i], headed=True)
        for i, model in enumerate(names)
    ]
    return {f"strip {i}": one for i, one in enumerate([*drawn, *[""] * (COLUMNS - len(drawn))])}
