"""What happens in the Prompt tab's lower half: studies of designs, predictions, minimal pairs."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from lmlab import answersheet, promptview, studyplots
from lmlab.data import Row
from lmlab.errors import InputError
from lmlab.evaluations import Evaluation, Way
from lmlab.lab import Lab
from lmlab.protocols import Protocol
from lmlab.results import Loading
from lmlab.templates import PromptTemplate
from lmlab.ui import prompt_sheet as sheets
from lmlab.ui.errors import alerts
from lmlab.ui.prompt_sheet import Form, Sheet
from lmlab.ui.prompt_views import cells, details, pair_table
from lmlab.ui.waiting import busy, idle

if TYPE_CHECKING:
    from lmlab.studies import Design

KINDS = ("shots", "wordings", "order", "models")
PATIENCE = 0.25  # seconds between two signs of progress
MOST_QUERIES, MOST_DRAWS = 400, 20
N_DRAWN = 6
FEW = 4  # shots of the one-click comparison where none are set
NO_LABELS = "A reliability curve needs labels."


@dataclass(frozen=True)
class Measured:
    """What a visitor's session keeps of a study.

    Attributes:
        kind: one of ``KINDS``, or ``designs`` for the one-click comparisons.
        results: each design's label and figures.
        queries: the rows that were asked.
    """

    kind: str
    results: tuple[tuple[str, Evaluation], ...]
    queries: tuple[Row, ...]


@dataclass(frozen=True)
class Plan:
    """The Measure form's own values, in the order of ``measure.Inputs.values``."""

    kind: str
    shots: str
    draws: float | None
    queries: float | None
    way: Way
    models: Sequence[str]

    def protocol(self, form: Form) -> Protocol:
        """Seed, draws, queries and way."""
        queries, draws = (Form.number(self.queries, "queries"), Form.number(self.draws, "draws"))
        if queries > MOST_QUERIES or draws > MOST_DRAWS:
            raise InputError(
                f"The page asks at most {MOST_QUERIES} queries, with at most {MOST_DRAWS} draws.",
                "The command line has no such limit: lmlab evaluate.",
            )
        return Protocol(
            shots=_shots_of(form),
            draws=draws,
            seed=Form.number(form.seed, "seed"),
            limit=queries,
            way=self.way,
        )

    def numbers(self) -> list[int]:
        """The numbers of shots of a curve."""
        parts = [part.strip() for part in (self.shots or "").split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise InputError("Shots are numbers with commas between.", "For instance 0, 1, 2, 4.")
        return [int(part) for part in parts]


def measurer(lab: Lab, n_form: int, kind: str = "") -> Callable[..., Iterator[list[Any]]]:
    """Run a study: yields [status, stop, plot, table, details, second plot, predictions, kept].

    Args:
        lab: the backend.
        n_form: how many of the values are the design's; the rest are the Measure form's.
        kind: which; empty takes the form's.
    """

    @alerts
    def measure(sheet: Sheet | None, model: str, second: str, *values: Any) -> Iterator[list[Any]]:
        form, plan = Form.read(*values[:n_form]), Plan(*values[n_form:])
        chosen = kind or plan.kind
        yield [*busy("Preparing …", 0), *[gr.skip()] * N_DRAWN]
        lab.prompts.prepare()
        designs = _designs(lab, chosen, form, plan, sheet or Sheet(), model, second)
        found: dict[int, tuple[str, Evaluation]] = {}
        last = 0.0
        for event in _steps(lab, designs):
            if isinstance(event, Loading):
                yield [*busy(event.message, 0), *[gr.skip()] * N_DRAWN]
            elif hasattr(event, "evaluation"):
                found[event.design] = (event.label, event.evaluation)
                drawn = draw(_measured(chosen, found, designs), final=False)
                yield [gr.skip(), gr.skip(), *drawn]
            elif time.monotonic() - last > PATIENCE:
                last = time.monotonic()
                share = (event.design + event.done / max(1, event.total)) / event.designs
                said = f"{event.label}: {event.done:,} of {event.total:,} prompts"
                yield [*busy(said, share), *[gr.skip()] * N_DRAWN]
        yield [*idle(""), *draw(_measured(chosen, found, designs), final=True)]

    return measure


def _steps(lab: Lab, designs: "Sequence[Design]") -> Iterator[Any]:
    with closing(lab.prompts.study(designs)) as events:
        yield from events


def _measured(
    kind: str, found: dict[int, tuple[str, Evaluation]], designs: "Sequence[Design]"
) -> Measured:
    from lmlab.protocols import asked

    queries = asked(designs[0].data, designs[0].protocol)
    return Measured(kind, tuple(found[i] for i in sorted(found)), queries)


def _designs(
    lab: Lab, kind: str, form: Form, plan: Plan, sheet: Sheet, model: str, second: str
) -> "list[Design]":
    """What a click on a button measures."""
    from lmlab import studies

    template = form.template(lab.prompts)
    data, protocol = form.dataset(lab.prompts, template), plan.protocol(form)
    if kind == "shots":
        return studies.shots_study(model, template, data, protocol, plan.numbers())
    if kind == "wordings":
        return studies.templates_study(model, _wordings(lab, template), data, protocol)
    if kind == "order":
        return studies.order_study(model, template, data, protocol)
    if kind == "few":
        shots = protocol.shots or FEW
        return [
            studies.Design(label, model, template, data, replace(protocol, shots=k))
            for label, k in (("zero-shot", 0), (f"{shots} shots", shots))
        ]
    names = [model, second] if kind == "tuned" else [model, *plan.models]
    if kind == "tuned" and not second:
        raise InputError("No second model is chosen.", "Choose one beside the first.")
    return studies.models_study(names, template, data, protocol)


def _wordings(lab: Lab, template: PromptTemplate) -> list[PromptTemplate]:
    """The wording in the editor first, then the shipped ones for the same columns."""
    others = [
        other
        for other in lab.prompts.templates().values()
        if other.name != template.name
        and other.data == template.data
        and set(other.columns) == set(template.columns)
    ]
    return [template, *others]


def draw(measured: Measured, *, final: bool) -> list[Any]:
    """Plot, table, details, second plot, predictions and what the session keeps."""
    results = measured.results
    label, last = results[-1]
    if measured.kind == "shots":
        figure = studyplots.shots(results)
    elif measured.kind == "order":
        figure = studyplots.lottery(last)
    else:
        figure = studyplots.bars(results)
    labelled = bool(last.labels)
    second = gr.update(value=studyplots.reliability(last) if labelled else None, visible=labelled)
    rows = promptview.predictions(results) if final else gr.skip()
    return [figure, cells(results), details(label, last), second, rows, measured]


def loader(lab: Lab) -> Callable[..., list[Any]]:
    """A prediction that was clicked becomes the query: [query, sheet]."""

    @alerts
    def load(
        measured: Measured | None, sheet: Sheet | None, wording: str, event: gr.EventData
    ) -> list[Any]:
        template = lab.prompts.parse(wording)
        try:
            row = int(event.row) - 1
        except (AttributeError, TypeError, ValueError, OverflowError):
            row = -1
        if measured is None or not 0 <= row < len(measured.queries):
            return [gr.skip()] * 2
        changed = replace(sheet or Sheet(), query=dict(measured.queries[row]))
        return [sheets.query_json(changed, template), changed]

    return load


@alerts
def table(measured: Measured | None) -> str:
    """All predictions as a CSV file."""
    if measured is None:
        raise InputError("There are no predictions yet.", "Measure something first.")
    text = answersheet.to_csv([evaluation for _, evaluation in measured.results])
    value = {"action": "download", "name": uuid.uuid4().hex, "file": "predictions.csv"}
    return json.dumps({**value, "text": text}).replace("<", "\\u003c")


def judger(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """One minimal pair: yields [status, stop, pair]."""

    @alerts
    def judge(good: str, bad: str, model: str) -> Iterator[list[Any]]:
        if not (good or "").strip() or not (bad or "").strip():
            raise InputError("A pair needs two sentences.", "Fill both boxes.")
        yield [*busy(f"{model}: reading …", 0), gr.skip()]
        with closing(lab.prompts.judge(model, good, bad)) as events:
            for event in events:
                if isinstance(event, Loading):
                    yield [*busy(event.message, 0), gr.skip()]
                else:
                    from lmlab.pairs import first_difference

                    places = first_difference(event.good, event.bad)
                    yield [*idle(""), promptview.pair(event, *places)]

    return judge


def pairs_measurer(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """All shipped pairs: yields [status, stop, table]."""

    @alerts
    def measure(model: str) -> Iterator[list[Any]]:
        yield [*busy(f"{model}: reading …", 0), gr.skip()]
        shown = ""
        with closing(lab.prompts.judge_all(model)) as events:
            for event in events:
                if isinstance(event, Loading):
                    yield [*busy(event.message, 0), gr.skip()]
                else:
                    shown = pair_table(event)
                    said = f"{len(event.rows)} of {event.total} pairs"
                    yield [*busy(said, len(event.rows) / event.total), shown]
        yield [*idle(""), shown]

    return measure


def _shots_of(form: Form) -> int:
    picked = [part for part in form.picked.split(",") if part.strip()]
    return len(picked) if picked else Form.number(form.shots, "shots")
