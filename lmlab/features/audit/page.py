"""The Audit tab: one text and one model under every convention of perplexity."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.audit import views
from lmlab.features.audit.feature import FEATURE
from lmlab.features.audit.receipt import receipt
from lmlab.features.audit.results import Audit
from lmlab.features.audit.service import Auditing
from lmlab.lab import Lab
from lmlab.parts.examples import CODE, SHUFFLED, STORY
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, Note, quoted
from lmlab.parts.saving import Saver
from lmlab.parts.stream import SCORING, Busy, Line, Work, result
from lmlab.parts.widgets import static
from lmlab.progress import Progress

TEXT = "\n\n".join((STORY, SHUFFLED, CODE))
OWN = "the model’s own"
CONTEXTS = (OWN, "64", "128", "256", "512", "1024", "2048")
WHY = (
    '<p class="lm-why">“The perplexity is 17” says little: of which tokens, after what, divided by '
    "what? Here the same text and model give a number for every convention that is in use. The "
    "first row is the lecture’s definition; each other row says which tokens make it another "
    "number.</p>"
)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    static(WHY)
    with gr.Row(elem_classes="lm-inputs"):
        text = gr.Textbox(
            TEXT, label="Text to audit  x", lines=4, max_lines=10, scale=5, elem_id="audit-text",
            info="paragraphs count as texts of their own where a convention asks for several",
        )  # fmt: skip
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            model = model_picker(lab, "audit-model", needs=FEATURE.needs)
            context = gr.Dropdown(
                CONTEXTS, value="64", label="Read at once", info="tokens, at most",
                elem_id="audit-context",
            )  # fmt: skip
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button("Audit", variant="primary", elem_id="audit-go", elem_classes="lm-go")
                stop = gr.Button("Stop", interactive=False, elem_id="audit-stop", min_width=80)
                saver = Saver("audit-csv")
    status = static("", elem_id="audit-status")
    with gr.Column(elem_classes="lm-panel"):
        kept, table = gr.State(None), static(views.table(None), elem_id="audit-table")
    line = Line(status, stop, Keep("audit", ("audit-table",)))
    line.on(
        go.click, auditor(lab), [model, text, context], {"table": table, "kept": kept},
        trigger_mode="once", **SCORING,
    )  # fmt: skip
    line.keep.notes(note, [kept])
    line.stoppable()
    saver.gives(
        "audit.csv", lambda found: views.to_csv(found) if found else "", kept,
        hint="Press Audit first.",
    )  # fmt: skip


def auditor(lab: Lab) -> Callable[..., Work]:
    """The handler of Audit."""

    def audit(model: str, text: str, context: str) -> Work:
        yield Busy(f"{model}: reading …")
        asked = lab.service(Auditing).audit(model, text or "", _length(context))
        found = yield from result(asked, Audit, _progress)
        return {"table": views.table(found), "kept": found}

    return audit


def _length(context: Any) -> int | None:
    if context in (None, "", OWN):
        return None
    try:
        return int(context)
    except (TypeError, ValueError):
        raise InputError("The context is a number of tokens.", "Choose one.") from None


def _progress(step: Progress) -> Busy:
    said = f"{step.done:,} of {step.total:,} tokens, all conventions together"
    return Busy(said, step.done / max(1, step.total))


def note(found: Audit | None) -> Note | None:
    """One receipt of all rows."""
    if found is None:
        return None
    return Note("audit", f"Perplexity audit of {quoted(found.text)}", lambda: receipt(found))
