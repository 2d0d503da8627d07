"""The Data tab's lower half: a small corpus looked at, filtered and cleaned. Lays out and wires;
what happens is in events.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.features.data import events, receipt_notes
from lmlab.features.data.feature import FEATURE
from lmlab.features.data.service import Corpora
from lmlab.features.data.widgets import Findings, QualityView
from lmlab.lab import Lab
from lmlab.parts import waiting
from lmlab.parts.first_open import Led, unless_led
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.widgets import Handover, static
from lmlab.text.documents import CUTS

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
RUNNING = MappingProxyType({**QUIET, "concurrency_id": "score", "concurrency_limit": 2})
QUICK = MappingProxyType({**QUIET, "concurrency_id": "corpus", "concurrency_limit": 4})
TYPES = (".txt", ".md", ".jsonl", ".csv", ".tsv")
HEAD = (
    '<h2 class="lm-h2">A small corpus, as a data engineer looks at it</h2>'
    '<p class="lm-why">Duplicates, personal data, languages, and a model’s perplexity as a filter: '
    "what comes out is what a model would be trained on.</p>"
)
NO_UPLOADS = '<p class="lm-said">Uploads are switched off on this page; a text can be pasted.</p>'


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in and presses."""

    source: gr.Radio
    own: gr.Column
    file: gr.File
    pasted: gr.Textbox
    cut: gr.Radio
    model: gr.Dropdown
    similarity: gr.Slider
    go: gr.Button
    stop: gr.Button
    status: gr.HTML

    @property
    def values(self) -> list[Any]:
        """In the order of ``events.inspector``."""
        return [self.source, self.file, self.pasted, self.cut, self.model, self.similarity]


@dataclass(frozen=True)
class Outputs:
    """What a result is shown in."""

    findings: Findings
    quality: QualityView
    wishes: gr.CheckboxGroup
    language: gr.Dropdown
    summary: gr.HTML
    cleaned: gr.Button
    table: gr.Button
    handover: Handover
    at: gr.State
    kept: gr.State
    keep: Keep

    @property
    def drawn(self) -> list[Any]:
        """In the order of ``events.drawn``."""
        return [self.findings, self.quality, self.language, self.at, self.kept, self.summary]

    @property
    def cleaning(self) -> list[Any]:
        return [self.kept, self.wishes, self.language, self.at]


def build(lab: Lab) -> None:
    """Draw it inside the current Blocks and wire it to the lab."""
    tab = Context.block
    static(HEAD)
    inputs = _inputs(lab)
    outputs = _outputs()
    _wire_running(lab, inputs, outputs, tab)
    _wire_cleaning(outputs)


def _inputs(lab: Lab) -> Inputs:
    names = lab.service(Corpora).samples()
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-inputs"):
            source = gr.Radio(
                [*names, events.OWN], value=names[0] if names else events.OWN, label="Corpus",
                info="scraps: a few dozen documents made for this page", elem_id="data-source",
                scale=2, min_width=240,
            )  # fmt: skip
            model = model_picker(
                lab, "data-model", "Filter by perplexity under", scale=2, needs=FEATURE.needs
            )
            similarity = gr.Slider(
                0.3, 1, 0.6, step=0.05, label="near duplicates from similarity",
                elem_id="data-similarity", scale=2, min_width=200,
            )  # fmt: skip
            with (
                gr.Column(scale=2, min_width=220, elem_classes="lm-side"),
                gr.Row(elem_classes="lm-buttons"),
            ):
                go = gr.Button(
                    "Inspect", variant="primary", elem_id="data-go", elem_classes="lm-go"
                )
                stop = gr.Button("Stop", interactive=False, elem_id="data-stop", min_width=80)
        status = static("", elem_id="data-status")
        with gr.Column(visible=not names, elem_id="data-own") as own:
            file, pasted, cut = _own(lab)
    return Inputs(source, own, file, pasted, cut, model, similarity, go, stop, status)


def _own(lab: Lab) -> tuple[gr.File, gr.Textbox, gr.Radio]:
    """Where a visitor's own text is given."""
    limits, uploads = lab.service(Corpora).limits, lab.settings.uploads
    if not uploads:
        static(NO_UPLOADS)
    with gr.Row(elem_classes="lm-inputs"):
        file = gr.File(
            label="text, Markdown, JSONL or CSV in UTF-8", file_types=list(TYPES), height=165,
            visible=uploads, elem_id="data-upload", scale=2, min_width=240,
        )  # fmt: skip
        pasted = gr.Textbox(
            "", label="or paste a text", lines=5, max_lines=10, elem_id="data-pasted", scale=3,
            max_length=limits.chars, min_width=260,
            placeholder="documents with a blank line between …",
            info=f"at most {limits.documents:,} documents, {limits.chars:,} characters",
        )  # fmt: skip
        cut = gr.Radio(
            list(CUTS), value=CUTS[0], label="a new document begins after",
            info="of plain text; JSONL and CSV have one in each line, in the column ‘text’",
            elem_id="data-cut", scale=2, min_width=220,
        )  # fmt: skip
    return file, pasted, cut


def _outputs() -> Outputs:
    findings = Findings(elem_id="data-findings")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=3, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">Perplexity as a filter of quality</h3>')
            quality = QualityView(elem_id="data-quality")
        with gr.Column(scale=2, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">What is left</h3>')
            wishes = gr.CheckboxGroup(
                list(events.WISHES), value=list(events.WISHES), label="Clean",
                elem_id="data-wishes",
            )  # fmt: skip
            language = gr.Dropdown(
                [(events.ALL, "")], value="", label="Keep", elem_id="data-language"
            )
            summary = static("", elem_id="data-summary")
            with gr.Row(elem_classes="lm-buttons lm-takeaway"):
                cleaned = gr.Button(
                    "Cleaned corpus, JSONL", variant="primary", elem_id="data-cleaned",
                    elem_classes="lm-go",
                )  # fmt: skip
                table = gr.Button("Table, CSV", elem_id="data-csv", min_width=100)
            handover = Handover(elem_id="data-handover")
    keep = Keep("data", ("data-findings", "data-quality", "data-summary"))
    states = gr.State(None), gr.State(None)
    buttons = cleaned, table, handover
    return Outputs(findings, quality, wishes, language, summary, *buttons, *states, keep)


def _wire_running(lab: Lab, inputs: Inputs, outputs: Outputs, tab: Any) -> None:
    """Inspect on the button and when the tab opens; stop on demand."""
    line = [inputs.status, inputs.stop]
    inspect = events.inspector(lab)
    given, drawn = [*inputs.values, outputs.wishes], [*line, *outputs.drawn]
    asked = inputs.go.click(inspect, given, drawn, trigger_mode="always_last", **RUNNING)
    led, begin = Led(False), unless_led(events.once(inspect), len(drawn))
    opened = tab.select(begin, [led, outputs.kept, *given], drawn, trigger_mode="once", **RUNNING)
    waiting.stoppable(inputs.stop, line, [asked, opened])
    follow(outputs.keep, [asked, opened], receipt_notes.of_corpus, [outputs.kept])
    inputs.source.change(
        lambda source: gr.update(visible=source == events.OWN),
        inputs.source,
        inputs.own,
        queue=False,
        **QUIET,
    )


def _wire_cleaning(outputs: Outputs) -> None:
    """Quick answers from what the session keeps: nothing is scored again."""
    moved = outputs.quality.cut(events.cut_at, None, outputs.at, **QUICK)
    moved.then(events.summed, outputs.cleaning, outputs.summary, **QUICK)
    gr.on(
        [outputs.wishes.change, outputs.language.input],
        events.summed,
        outputs.cleaning,
        outputs.summary,
        trigger_mode="always_last",
        **QUICK,
    )
    for button, kind in ((outputs.cleaned, "jsonl"), (outputs.table, "csv")):
        button.click(events.downloader(kind), outputs.cleaning, outputs.handover, **QUICK)
