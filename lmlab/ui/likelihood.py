"""The Likelihood tab: a text coloured by how likely a model finds each token, and what follows from
it. Lays out and wires; what is shown is made by strip, plots, figures, definition and tables.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from lmlab import plots, strip, tables
from lmlab.lab import Lab
from lmlab.results import Scored
from lmlab.ui.definition import definition, no_definition
from lmlab.ui.errors import alerts
from lmlab.ui.examples import EXAMPLES, Example
from lmlab.ui.figures import figures, no_figures
from lmlab.ui.kept import Kept
from lmlab.ui.widgets import Factors, Strip, static

NAME = "Likelihood"
GROUP = "likelihood"
PAGE = 40  # tokens whose alternatives are sent at once; the same in strip.js
PATIENCE = 0.2  # seconds between two signs of progress
NOBODY = ("none", "")


@dataclass(frozen=True)
class Shown:
    """What a visitor's session keeps: one result or two of the same text."""

    name: str
    runs: tuple[Kept, ...]

    def unpack(self) -> tuple[Scored, Scored | None]:
        """The results as they were."""
        runs = [run.unpack() for run in self.runs]
        return runs[0], runs[1] if len(runs) > 1 else None


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in."""

    text: gr.Textbox
    prefix: gr.Textbox
    model: gr.Dropdown
    second: gr.Dropdown
    go: gr.Button
    stop: gr.Button
    chips: tuple[gr.Button, ...]

    @property
    def values(self) -> list[Any]:
        return [self.text, self.prefix, self.model, self.second]


@dataclass(frozen=True)
class Outputs:
    """What a result is shown in."""

    status: gr.HTML
    strip: Strip
    plot: gr.Plot
    figures: gr.HTML
    definition: gr.HTML
    copy: gr.Button
    download: gr.Button
    csv: gr.State
    shown: gr.State


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    inputs = _inputs(lab)
    outputs = _outputs()
    _wire_scoring(lab, inputs, outputs)
    _wire_result(outputs)
    _wire_api(lab)


def _inputs(lab: Lab) -> Inputs:
    first = EXAMPLES[0]
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=5, min_width=300):
            prefix = gr.Textbox(
                first.prefix,
                label="Prefix x₁:ₜ (optional; given, not scored)",
                lines=1,
                max_lines=4,
                placeholder="nothing: the text is scored from its start",
                elem_id="likelihood-prefix",
            )
            text = gr.Textbox(
                first.text,
                label="Text x₍ₜ₊₁₎:₍ₜ₊L₎",
                lines=4,
                max_lines=10,
                placeholder="Type or paste a text …",
                elem_id="likelihood-text",
            )
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            model, second = _pickers(lab)
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button(
                    "Score", variant="primary", elem_id="likelihood-go", elem_classes="lm-go"
                )
                stop = gr.Button("Stop", interactive=False, elem_id="likelihood-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = tuple(gr.Button(example.name, size="sm", min_width=60) for example in EXAMPLES)
    return Inputs(text, prefix, model, second, go, stop, chips)


def _pickers(lab: Lab) -> tuple[gr.Dropdown, gr.Dropdown]:
    names = lab.model_names()
    free = lab.settings.allow_hub or lab.settings.allow_local
    kinds = [
        kind
        for kind, allowed in (("Hub id", lab.settings.allow_hub), ("folder", lab.settings.allow_local))
        if allowed
    ]
    info = f"or type a {' or a '.join(kinds)}" if free else None
    model = gr.Dropdown(
        names or [lab.settings.model],
        value=lab.settings.model,
        label="Model",
        info=info,
        allow_custom_value=free,
        elem_id="likelihood-model",
    )
    second = gr.Dropdown(
        [NOBODY, *((name, name) for name in names)],
        value="",
        label="Compare with",
        allow_custom_value=free,
        elem_id="likelihood-second",
    )
    return model, second


def _outputs() -> Outputs:
    shown, csv = gr.State(None), gr.State("")
    status = static("", elem_id="likelihood-status")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=300):
            coloured = Strip(group=GROUP, elem_id="likelihood-strip")
            with gr.Column(elem_classes="lm-panel lm-plotbox"):
                static('<h3 class="lm-h">Surprisal along the text</h3>')
                plot = gr.Plot(
                    plots.empty(),
                    show_label=False,
                    container=False,
                    elem_id="likelihood-plot",
                    elem_classes="lm-plot",
                )
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            cards = static(no_figures(), elem_id="likelihood-figures")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h3 class="lm-h">The definition, with this text’s numbers</h3>')
            worked = static(no_definition(), elem_id="likelihood-definition")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h3 class="lm-h">The factors</h3>')
                copy = gr.Button("Copy", size="sm", min_width=60, elem_id="likelihood-copy")
                download = gr.Button("CSV", size="sm", min_width=60, elem_id="likelihood-csv")
            Factors(group=GROUP, elem_id="likelihood-factors")
    return Outputs(status, coloured, plot, cards, worked, copy, download, csv, shown)


def _wire_scoring(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """Score on the button, on Enter in the prefix and when the page opens; stop on demand."""

    @alerts
    def score(text: str, prefix: str, model: str, second: str) -> Iterator[dict[Any, Any]]:
        yield {outputs.status: _progress(f"{model}: reading"), inputs.stop: _live(True)}
        runs: list[Scored] = []
        for name in [model, second] if second else [model]:
            last = 0.0
            with closing(lab.score(name, text, prefix)) as steps:
                for step in steps:
                    if isinstance(step, Scored):
                        runs.append(step)
                    elif time.monotonic() - last > PATIENCE:
                        last = time.monotonic()
                        yield {outputs.status: _progress(name, step.done, step.total)}
        yield _draw(outputs, runs) | {outputs.status: "", inputs.stop: _live(False)}

    def idle(message: str) -> list[Any]:
        return [f'<p class="lm-said">{message}</p>' if message else "", _live(False)]

    drawn = [
        outputs.status,
        inputs.stop,
        outputs.strip,
        outputs.plot,
        outputs.figures,
        outputs.definition,
        outputs.shown,
    ]
    triggers = [inputs.go.click, inputs.prefix.submit, gr.on]
    run = gr.on(
        triggers[:2],
        score,
        inputs.values,
        drawn,
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_id="score",
        concurrency_limit=2,
        api_visibility="private",
    )
    opened = gr.context.Context.root_block.load(
        score,
        inputs.values,
        drawn,
        show_progress="hidden",
        concurrency_id="score",
        concurrency_limit=2,
        api_visibility="private",
    )
    controls = [outputs.status, inputs.stop]
    for event in (run, opened):
        event.failure(
            lambda: idle(""), None, controls, queue=False, show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip
    inputs.stop.click(
        lambda: idle("Stopped. What was shown before is still here."), None, controls,
        cancels=[run, opened], queue=False, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    for chip, example in zip(inputs.chips, EXAMPLES, strict=True):
        chip.click(
            None, None, [inputs.text, inputs.prefix], js=_fill(example), cancels=[run, opened],
            api_visibility="private",
        ).then(None, None, None, js=f"() => {{ {_PRESS} }}", api_visibility="private")  # fmt: skip


_PRESS = "setTimeout(() => document.querySelector('#likelihood-go').click(), 30)"


def _fill(example: Example) -> str:
    return f"() => {json.dumps([example.text, example.prefix])}"


def _wire_result(outputs: Outputs) -> None:
    """Alternatives on demand, copy and download: quick answers from what the session keeps."""

    @alerts
    def need(shown: Shown | None, event: gr.EventData) -> Any:
        run, low = _index(event, "run"), _index(event, "low")
        if shown is None or not 0 <= run < len(shown.runs):
            return gr.skip()
        tokens = shown.runs[run].tokens(low, low + PAGE)
        return gr.update(tops=strip.tops_json(shown.name, run, low, tokens))

    outputs.strip.need(
        need, outputs.shown, outputs.strip, trigger_mode="multiple", concurrency_limit=8,
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    for button, separator, action in (
        (outputs.copy, "\t", _COPY),
        (outputs.download, ",", _DOWNLOAD),
    ):
        button.click(
            _table(separator), outputs.shown, outputs.csv, show_progress="hidden",
            concurrency_limit=4, api_visibility="private",
        ).success(None, outputs.csv, None, js=action, api_visibility="private")  # fmt: skip
