"""What happens in the Prompt tab's lower half: which designs are measured, a study as it comes,
predictions, their table.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.prompt import study_plots, views
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import MEASURED, Form, Sheet
from lmlab.lab import Lab, import_core
from lmlab.parts.alternatives import index_of
from lmlab.parts.stream import Busy, Pace, Shown, Work
from lmlab.parts.strip import dump
from lmlab.progress import Loading
from lmlab.text.protocols import Protocol, asked
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import read_wording, wordings_like

if TYPE_CHECKING:
    from lmlab.features.prompt.studies import Cell, Design

DRAWING = 0.8  # seconds between two drawings of a design under way
FEW = 4  # shots of the one-click comparisons where there are no examples


@dataclass(frozen=True)
class Plan:
    """The rows above, the design's form, and the Measure form's own values."""

    sheet: Sheet
    model: str
    second: str  # the model beside the first
    form: Form
    kind: str
    shots: str  # numbers of a curve
    models: Sequence[str]
    above: bool  # whether the rows above are the examples
    measured: Protocol

    @classmethod
    def read(cls, sheet: Sheet | None, model: str, second: str, *values: Any) -> "Plan":
        """From the components' values, in the order in which ``measure`` hands them over."""
        form, (kind, shots, models, above, *counts) = Form.first_of(values)
        measured = MEASURED.read(*counts)
        return cls(sheet or Sheet(), model, second, form, kind, shots, models, above, measured)

    def designs(self, prompts: Prompting, kind: str) -> "list[Design]":
        """What to measure; an InputError says what cannot be."""
        from lmlab.features.prompt import studies

        template, shots = self.form.template(), len(self.sheet.examples)
        seed = Form.number(self.form.seed, "seed")
        protocol = replace(self.measured, shots=shots, seed=seed, form=self.form.form)
        numbers = self._numbers() if kind == "shots" else []
        shown = bool(max(numbers, default=shots)) or kind in ("few", "three", "order")
        data = self.form.dataset(template, shots=shown)
        design = studies.Design("", self.model, template, data, protocol)
        if kind == "shots":
            return studies.shots_study(design, numbers)
        if kind == "order":
            return studies.order_study(design, self.sheet.solved(template) or None)
        if kind in ("few", "three"):
            return self._few(prompts, design, kind)
        if kind == "wordings":
            found = studies.templates_study(design, [template, *wordings_like(template)])
        else:
            names = [self._second()] if kind == "tuned" else self.models
            found = studies.models_study(design, [self.model, *names])
        return [replace(one, examples=self._sets(one.template)) for one in found]

    def _few(self, prompts: Prompting, design: "Design", kind: str) -> "list[Design]":
        """Zero-shot, few-shot and, where asked for, a tuned model without examples."""
        few = replace(design.protocol, shots=design.protocol.shots or FEW)
        none = replace(design, label="zero-shot", protocol=replace(few, shots=0))
        some = replace(design, label=f"{few.shots} shots", protocol=few)
        found = [none, replace(some, examples=self._sets(design.template))]
        if kind == "three":
            second, wording = self._second(), prompts.tuned(self.form.data)
            own = wording if wording is not None and wording.tuned == second else design.template
            label = f"{second}, zero-shot"
            label += ", own wording" if own.name != design.template.name else ""
            found.append(replace(none, label=label, model=second, template=own))
        return found

    def _numbers(self) -> list[int]:
        """The numbers of shots of a curve."""
        parts = [part.strip() for part in (self.shots or "").split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise InputError("Shots are numbers with commas between.", "For instance 0, 1, 2, 4.")
        return [int(part) for part in parts]

    def _second(self) -> str:
        if not self.second:
            raise InputError("No second model is chosen.", "Choose one beside the first.")
        return self.second

    def _sets(self, template: PromptTemplate) -> list[Sequence[Row]] | None:
        """The examples above in place of drawn ones, where that is wanted and there are some."""
        rows = self.sheet.solved(template) if self.above else ()
        return [rows] if rows else None


@dataclass(frozen=True)
class Measured:
    """What a visitor's session keeps of a study."""

    kind: str  # ``shots``, ``order``, or another, which is drawn as bars
    results: tuple[tuple[str, Evaluation], ...]  # each design's label and figures
    queries: Sequence[Row]  # the rows that were asked
    under_way: bool = False  # whether rows are still asked
    last: "Design | None" = None


def measurer(lab: Lab, kind: str = "") -> Callable[..., Work]:
    """Run a study of a kind, by default of the form's."""

    def measure(sheet: Sheet | None, model: str, second: str, *values: Any) -> Work:
        yield Busy("Preparing …")
        import_core()
        prompts, plan = lab.service(Prompting), Plan.read(sheet, model, second, *values)
        chosen = kind or plan.kind
        designs = plan.designs(prompts, chosen)
        queries = asked(designs[0].data, designs[0].protocol)
        found: dict[int, tuple[str, Evaluation]] = {}
        signs, drawings = Pace(), Pace(DRAWING)

        def measured(under_way: bool = False) -> Measured:
            results = tuple(found[i] for i in sorted(found))
            return Measured(chosen, results, queries, under_way, designs[len(results) - 1])

        for event in prompts.study(designs):
            if isinstance(event, Loading):
                yield event
                continue
            if event.evaluation is not None:
                found[event.design] = (event.label, event.evaluation)
                if drawings.is_due() and not event.final:
                    yield draw(measured(under_way=True))
                    continue
            if signs.is_due():
                yield _told(event)
        return draw(measured(), final=True)

    return measure


def _told(cell: "Cell") -> Busy:
    """How far a study is: with the seconds that are left once they are known."""
    shots = "shot" if cell.label == "1" else "shots"
    label = f"{cell.label} {shots}" if cell.label.isdecimal() else cell.label
    said = f"{label}: {cell.done:,} of {cell.total:,} prompts"
    if cell.left is None:
        return Busy(f"{said}, which tell how long it takes")
    return Busy(f"{said}, {cell.left.told}", cell.left.share)


def draw(measured: Measured, *, final: bool = False) -> dict[str, Any]:
    """What a study is shown in, what is kept of it, and its part of the page in place of the
    invitation."""
    results, going = measured.results, measured.under_way
    label, last = results[-1]
    drawn = {"predictions": views.predictions(results)} if final else {}
    plot, nll = (
        study_plots.chart(measured.kind, results, what, under_way=going)
        for what in study_plots.MEASURES
    )
    reliability = study_plots.reliability(last) if last.chosen else None
    return drawn | {
        "plot": plot,
        "nll": nll,
        "table": views.cells(results, under_way=going),
        "details": views.details(label, last),
        "reliability": gr.update(value=reliability, visible=last.chosen),
        "kept": measured,
        "invitation": gr.update(visible=False),
        "results": gr.update(visible=True),
    }


def load(
    measured: Measured | None, sheet: Sheet | None, wording: str, event: gr.EventData
) -> Shown:
    """A prediction that was clicked becomes the query."""
    template, row = read_wording(wording), index_of(event, "row") - 1
    if measured is None or not 0 <= row < len(measured.queries):
        return {}
    changed = replace(sheet or Sheet(), query=dict(measured.queries[row]))
    return {"query": views.query(changed, template), "sheet": changed}


def table(measured: Measured | None) -> str:
    """All predictions as a CSV file."""
    if measured is None:
        raise InputError("There are no predictions yet.", "Measure something first.")
    text = views.to_csv([evaluation for _, evaluation in measured.results])
    value = {"action": "download", "name": uuid.uuid4().hex, "file": "predictions.csv"}
    return dump({**value, "text": text})
