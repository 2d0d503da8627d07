"""The Zip tab: a text coded by a model's probabilities, and decoded on the far side."""

from collections.abc import Callable
from typing import Any, Unpack

import gradio as gr

from lmlab.features.zip import views
from lmlab.features.zip.feature import FEATURE
from lmlab.features.zip.results import Came, Zipped
from lmlab.features.zip.service import MOST, Zipping
from lmlab.lab import Lab
from lmlab.parts.examples import EXAMPLES
from lmlab.parts.gradio_compat.building import Given, Html, Placed
from lmlab.parts.html import filled
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, Note, quoted
from lmlab.parts.stream import GENERATING, QUIET, Busy, Line, Pace, Work
from lmlab.parts.widgets import static
from lmlab.progress import Loading
from lmlab.receipts.script import script
from lmlab.scoring.scored import Scored

WHY = (
    '<p class="lm-why">Begin with the interval from 0 to 1. Each token takes of it a part as large '
    "as its probability p(xᵢ | x<sub>&lt;i</sub>); any number in the last interval is the text. To "
    "halve the interval costs one bit, so a token costs −log₂ p: <b>surprisal is length</b>, and "
    "log-perplexity is the price of a token.</p>"
)


class IntervalView(Html):
    """The interval step by step: ``views.picture``. Steps and play need no server."""

    MODULE = "features/zip/interval"

    def __init__(self, **given: Unpack[Placed]) -> None:
        made: Given = {"html_template": filled("features/zip/interval")}
        super().__init__("", **(made | given))


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    static(WHY)
    with gr.Row(elem_classes="lm-inputs"):
        text = gr.Textbox(
            EXAMPLES[0].text, label="Text to zip  x", lines=3, max_lines=8, scale=5,
            elem_id="zip-text", info=f"at most {MOST:,} tokens; ‘lmlab zip’ takes files",
        )  # fmt: skip
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            model = model_picker(lab, "zip-model", needs=FEATURE.needs)
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button("Zip", variant="primary", elem_id="zip-go", elem_classes="lm-go")
                stop = gr.Button("Stop", interactive=False, elem_id="zip-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = [gr.Button(one.name, size="sm", min_width=60) for one in EXAMPLES[:5]]
        status = static("", elem_id="zip-status")
    outputs = _shown()
    line = Line(status, stop, Keep("zip", ("zip-figures", "zip-sizes")))
    line.on(go.click, zipper(lab), [model, text], outputs, trigger_mode="once", **GENERATING)
    line.keep.notes(note, [outputs["kept"]])
    line.stoppable()
    for chip, example in zip(chips, EXAMPLES, strict=False):
        chip.click(lambda value=example.text: value, None, text, queue=False, **QUIET)


def _shown() -> dict[str, Any]:
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=300):
            view = IntervalView(elem_id="zip-view")
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            figures = static(views.figures(None), elem_id="zip-figures")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Beside other programs</h2>')
            sizes = static(views.table(None), elem_id="zip-sizes")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">The far side decodes</h2>')
            far = static(views.far(None), elem_id="zip-far")
    kept = gr.State(None)
    return {"view": view, "figures": figures, "sizes": sizes, "far": far, "kept": kept}


def zipper(lab: Lab) -> Callable[..., Work]:
    """The handler of Zip."""

    def both_ways(model: str, text: str) -> Work:
        yield Busy(f"{model}: reading …")
        pace, scored, found, came = Pace(), None, None, None
        for event in lab.service(Zipping).both_ways(model, text or ""):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Scored):
                scored = event
                yield {
                    "figures": views.figures(scored), "view": "", "kept": None,
                    "sizes": views.table(None), "far": views.far(None),
                }  # fmt: skip
            elif isinstance(event, Zipped):
                found = event
                yield {
                    "figures": views.figures(scored, found), "sizes": views.table(found),
                    "view": views.picture(found), "kept": found,
                }  # fmt: skip
            elif isinstance(event, Came):
                came = event
                if pace.is_due():
                    share = 0.5 + 0.5 * came.done / came.total
                    yield Busy("the far side decodes …", share, {"far": views.far(came)})
            elif pace.is_due():
                share = 0.5 * event.done / max(1, event.total) if scored else 0
                yield Busy(f"{event.done:,} of {event.total:,} tokens", share)
        return {"far": views.far(came, found)}

    return both_ways


def note(found: Zipped | None) -> Note | None:
    """The receipt: the interval in whole numbers, by plain transformers."""
    if found is None:
        return None
    return Note("zip", f"Zip of {quoted(found.text)}", lambda: receipt(found))


def receipt(found: Zipped) -> str:
    """A script that gives the surprisal and the length of the code."""
    return script("features/zip/zip", [found.model], scored=found.scored, limit=found.scored.limit,
                  found=found)  # fmt: skip
