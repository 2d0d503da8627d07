"""What happens in the Prompt tab's lower half: a study as it comes, predictions, their table."""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.prompt import answer_sheet, prompt_view, study_plots
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import Form, Sheet
from lmlab.features.prompt.views import cells, details
from lmlab.lab import Lab, import_core
from lmlab.parts.stream import Busy, Pace, Shown, Work
from lmlab.progress import Loading
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
    last: "Design | None" = None  # the last design


def measurer(lab: Lab, n_form: int, kind: str = "") -> Callable[..., Work]:
    """Run a study."""

    def measure(sheet: Sheet | None, model: str, second: str, *values: Any) -> Work:
        yield Busy("Preparing …")
        import_core()
        from lmlab.features.prompt.studies import Cell
        from lmlab.features.prompt.study_designs import Bench, Plan

        form, plan = Form.read(*values[:n_form]), Plan.read(*values[n_form:])
        chosen = kind or plan.kind
        designs = Bench(lab, form, plan, sheet or Sheet(), model, second).designs(chosen)
        found: dict[int, tuple[str, Evaluation]] = {}
        signs, drawings = Pace(), Pace(DRAWING)
        for event in lab.service(Prompting).study(designs):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Cell):
                found[event.design] = (event.label, event.evaluation)
                if drawings.is_due() or event.final:
                    yield draw(_measured(chosen, found, designs, under_way=not event.final))
            elif signs.is_due():
                share = (event.design + event.done / max(1, event.total)) / event.designs
                yield Busy(f"{event.label}: {event.done:,} of {event.total:,} prompts", share)
        return draw(_measured(chosen, found, designs), final=True)

    return measure


def _measured(
    kind: str,
    found: dict[int, tuple[str, Evaluation]],
    designs: "Sequence[Design]",
    *,
    under_way: bool = False,
) -> Measured:
    from lmlab.text.protocols import asked

    queries = asked(designs[0].data, designs[0].protocol)
    results = tuple(found[i] for i in sorted(found))
    return Measured(kind, results, queries, under_way, designs[len(results) - 1])


def draw(measured: Measured, *, final: bool = False) -> dict[str, Any]:
    """What a study is shown in, what is kept of it, and its part of the page in place of the
    invitation."""
    results = measured.results
    label, last = results[-1]
    drawn = {"predictions": prompt_view.predictions(results)} if final else {}
    plot, nll = (
        study_plots.chart(measured.kind, results, what, under_way=measured.under_way)
        for what in study_plots.MEASURES
    )
    return drawn | {
        "plot": plot,
        "nll": nll,
        "table": cells(results, under_way=measured.under_way),
        "details": details(label, last),
        "reliability": gr.update(
            value=study_plots.reliability(last) if last.chosen else None, visible=last.chosen
        ),
        "kept": measured,
        "invitation": gr.update(visible=False),
        "results": gr.update(visible=True),
    }


def loader(lab: Lab) -> Callable[..., Shown]:
    """A prediction that was clicked becomes the query."""

    def load(
        measured: Measured | None, sheet: Sheet | None, wording: str, event: gr.EventData
    ) -> Shown:
        template = read_wording(wording)
        try:
            row = int(event.row) - 1
        except (AttributeError, TypeError, ValueError, OverflowError):
            row = -1
        if measured is None or not 0 <= row < len(measured.queries):
            return {}
        changed = replace(sheet or Sheet(), query=dict(measured.queries[row]))
        return {"query": sheets.query_json(changed, template), "sheet": changed}

    return load


def table(measured: Measured | None) -> str:
    """All predictions as a CSV file."""
    if measured is None:
        raise InputError("There are no predictions yet.", "Measure something first.")
    text = answer_sheet.to_csv([evaluation for _, evaluation in measured.results])
    value = {"action": "download", "name": uuid.uuid4().hex, "file": "predictions.csv"}
    return json.dumps({**value, "text": text}).replace("<", "\\u003c")
