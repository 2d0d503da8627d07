"""The Prompt tab's left side: set, wording, models, a table of one's own, examples. Lays out."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.prompt import events
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt.feature import FEATURE
from lmlab.features.prompt.widgets import Pool, Rows
from lmlab.lab import Lab
from lmlab.parts import upload_table
from lmlab.parts.pickers import Choices, model_picker
from lmlab.parts.upload_table import OWN
from lmlab.parts.widgets import static
from lmlab.text.wordings import shipped_source, worded_sets

FIRST = ("german", "german-lecture")
AS_TUNED = ""
FORMS = (("as the model was tuned", AS_TUNED), ("plain", "plain"), ("chat", "chat"))


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in."""

    data: gr.Dropdown
    model: gr.Dropdown
    other: gr.Dropdown
    wording: gr.Dropdown
    source: gr.Textbox
    shots: gr.Slider
    seed: gr.Number
    form: gr.Radio
    pool: Pool
    table: gr.State
    columns: tuple[gr.Dropdown, ...]
    upload: gr.File
    pasted: gr.Textbox
    second: gr.File
    skip: gr.Checkbox
    use: gr.Button
    said: gr.HTML

    @property
    def values(self) -> list[Any]:
        """In the order of ``prompt_sheet.Form``."""
        fixed = [self.data, self.table, self.source, self.shots, self.seed, self.form]
        return [*fixed, *self.columns]


def build(lab: Lab) -> tuple[Inputs, Rows]:
    """Data, wording and examples."""
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The design</h2>')
        with gr.Row():
            data = gr.Dropdown(
                [*worded_sets(), OWN], value=FIRST[0], label="Task and data",
                elem_id="prompt-data", min_width=140,
            )  # fmt: skip
            wording = Choices(
                events.wordings(lab, FIRST[0]), value=FIRST[1], label="Wording",
                elem_id="prompt-wording", min_width=160,
            )  # fmt: skip
        with gr.Row():
            model = model_picker(lab, "prompt-model", info=None, min_width=140, needs=FEATURE.needs)
            other = model_picker(
                lab,
                "prompt-second",
                "Second model",
                info=None,
                min_width=140,
                value=events.tuned(lab, FIRST[0]) or lab.settings.model,
            )
        form = gr.Radio(
            list(FORMS), value=AS_TUNED, label="Form of the prompt", elem_id="prompt-form",
        )  # fmt: skip
        table, columns, upload, pasted, second, skip, use, said = _own(lab)
        with gr.Accordion("Edit the wording (YAML)", open=False, elem_id="prompt-editor"):
            source = gr.Textbox(
                shipped_source(FIRST[1]), show_label=False, label="Wording in YAML",
                lines=12, max_lines=24, elem_id="prompt-source", elem_classes="lm-mono",
                container=False,
            )  # fmt: skip
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Examples</h2>')
        shots, seed = sheets.EXAMPLES.draw().values()
        rows = Rows(elem_id="prompt-examples")
        with gr.Accordion("Choose rows by hand", open=False, elem_id="prompt-hand"):
            pool = Pool(elem_id="prompt-pool")
    inputs = Inputs(
        data, model, other, wording, source, shots, seed, form, pool, table, columns, upload,
        pasted, second, skip, use, said,
    )  # fmt: skip
    return inputs, rows


def _own(lab: Lab) -> tuple[Any, ...]:
    with gr.Accordion("A table of your own", open=False, elem_id="prompt-own"):
        table = gr.State(None)
        given = upload_table.given("prompt", lab.settings.uploads, types=upload_table.TYPES)
        more = upload_table.more(
            "prompt", lab.settings.uploads, "examples from a second table (optional)"
        )
        with gr.Row(elem_classes="lm-buttons"):
            use = gr.Button("Use this table", size="sm", elem_id="prompt-use")
            said = static("", elem_id="prompt-said")
        with gr.Row():
            columns = upload_table.pickers("prompt")
    return table, columns, *given, *more, use, said
