"""The Prompt tab's left side: set, wording, models, a table of one's own, examples. Lays out."""

from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.prompt import events, sheet
from lmlab.features.prompt.feature import FEATURE
from lmlab.features.prompt.widgets import POOL, ROWS, Widget
from lmlab.lab import Lab
from lmlab.parts import upload_table
from lmlab.parts.pickers import Choices, model_picker
from lmlab.parts.upload_table import OWN
from lmlab.parts.widgets import static
from lmlab.text.wordings import shipped_source, worded_sets

FIRST = ("german", "german-lecture")
AS_TUNED = ""
FORMS = (("as the model was tuned", AS_TUNED), ("plain", "plain"), ("chat", "chat"))


def values(form: SimpleNamespace) -> list[Any]:
    """The design's widgets, in the order in which ``sheet.Form`` reads their values."""
    fixed = [form.data, form.table, form.source, form.shots, form.seed, form.form]
    return [*fixed, *form.columns]


def build(lab: Lab) -> SimpleNamespace:
    """Data, wording and examples: the widgets by name."""
    form = SimpleNamespace()
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The design</h2>')
        with gr.Row():
            form.data = gr.Dropdown(
                [*worded_sets(), OWN], value=FIRST[0], label="Task and data",
                elem_id="prompt-data", min_width=140,
            )  # fmt: skip
            form.wording = Choices(
                events.wordings(lab, FIRST[0]), value=FIRST[1], label="Wording",
                elem_id="prompt-wording", min_width=160,
            )  # fmt: skip
        with gr.Row():
            looks: dict[str, Any] = {"info": None, "min_width": 140}
            form.model = model_picker(lab, "prompt-model", needs=FEATURE.needs, **looks)
            second = events.tuned(lab, FIRST[0]) or lab.settings.model
            form.other = model_picker(lab, "prompt-second", "Second model", value=second, **looks)
        form.form = gr.Radio(
            list(FORMS), value=AS_TUNED, label="Form of the prompt", elem_id="prompt-form",
        )  # fmt: skip
        _own(lab, form)
        with gr.Accordion("Edit the wording (YAML)", open=False, elem_id="prompt-editor"):
            form.source = gr.Textbox(
                shipped_source(FIRST[1]), show_label=False, label="Wording in YAML",
                lines=12, max_lines=24, elem_id="prompt-source", elem_classes="lm-mono",
                container=False,
            )  # fmt: skip
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Examples</h2>')
        form.shots, form.seed = sheet.EXAMPLES.draw().values()
        form.examples = Widget(ROWS, elem_id="prompt-examples")
        with gr.Accordion("Choose rows by hand", open=False, elem_id="prompt-hand"):
            form.pool = Widget(POOL, elem_id="prompt-pool")
    return form


def _own(lab: Lab, form: SimpleNamespace) -> None:
    uploads = lab.settings.uploads
    with gr.Accordion("A table of your own", open=False, elem_id="prompt-own"):
        form.table = gr.State(None)
        form.upload, form.pasted = upload_table.given("prompt", uploads, types=upload_table.TYPES)
        form.second, form.skip = upload_table.more(
            "prompt", uploads, "examples from a second table (optional)"
        )
        with gr.Row(elem_classes="lm-buttons"):
            form.use = gr.Button("Use this table", size="sm", elem_id="prompt-use")
            form.said = static("", elem_id="prompt-said")
        with gr.Row():
            form.columns = upload_table.pickers("prompt")
