"""What happens in the Prompt tab's lower half: a study as it comes, predictions, their table."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.prompt import answer_sheet, study_plots, views
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import Sheet
from lmlab.lab import Lab, import_core
from lmlab.parts.alternatives import index_of
from lmlab.parts.stream import Busy, Pace, Shown, Work
from lmlab.progress import Loading
from lmlab.text.protocols import asked
from lmlab.text.rows import Row
from lmlab.text.wordings import read_wording

if TYPE_CHECKING:
    from lmlab.features.prompt.studies import Design

DRAWING = 0.8  # seconds between two drawings of a design under way


@dataclass(frozen=True)
class Measured:
    """What a visitor's session keeps of a study."""

    kind: str  # ``shots``, ``order``, or another, which is drawn as bars
    results: tuple[tuple[str, Evaluation], ...]  # each design's label and figures
    queries: tuple[Row, ...]  # the rows that were asked
    under_way: bool = False  # whether the last design is not done
    last: "Design | None" = None


def measurer(lab: Lab, kind: str = "") -> Callable[..., Work]:
    """Run a study of a kind, by default of the form's."""

    def measure(sheet: Sheet | None, model: str, second: str, *values: Any) -> Work:
        yield Busy("Preparing …")
        import_core()
        from lmlab.features.prompt.study_designs import Plan

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
                if drawings.is_due() or event.final:
                    yield draw(measured(not event.final))
                    continue
            if signs.is_due():
                share = (event.design + event.done / max(1, event.total)) / event.designs
                yield Busy(f"{event.label}: {event.done:,} of {event.total:,} prompts", share)
        return draw(measured(), final=True)

    return measure


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
    text = answer_sheet.to_csv([evaluation for _, evaluation in measured.results])
    value = {"action": "download", "name": uuid.uuid4().hex, "file": "predictions.csv"}
    return json.dumps({**value, "text": text}).replace("<", "\\u003c")
