"""Minimal pairs on the Prompt tab: two sentences, the shipped set, a table of the visitor's own."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.prompt import prompt_view
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.views import pair_list, pair_table
from lmlab.features.prompt.widgets import PairBox
from lmlab.lab import Lab, import_core
from lmlab.parts import upload_table
from lmlab.parts.stream import GENERATING, STUDYING, Busy, Line, Work, result
from lmlab.parts.widgets import static
from lmlab.progress import Loading

PAIR = ("The book on the tables is new.", "The book on the tables are new.")


def build(lab: Lab, model: gr.Dropdown) -> None:
    """Draw the part and wire it."""
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Minimal pairs: which of two sentences does the model prefer?</h2>')
        with gr.Row(elem_classes="lm-controls"):
            good = gr.Textbox(
                PAIR[0], label="One sentence", elem_id="prompt-good", min_width=220, max_lines=3
            )
            bad = gr.Textbox(
                PAIR[1], label="The other", elem_id="prompt-bad", min_width=220, max_lines=3
            )
        buttons, status = _buttons()
        upload, pasted = _own(lab, buttons)
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(scale=3, min_width=300):
                box = PairBox(elem_id="prompt-pair")
            with gr.Column(scale=2, min_width=300):
                table = static("", elem_id="prompt-pairs-table")
        every = static("", elem_id="prompt-pairs-list")
    line, drawn = Line(status, buttons["stop"]), {"table": table, "every": every}
    asked = [buttons["judge"].click, good.submit, bad.submit]
    line.on(asked, judger(lab), [good, bad, model], {"box": box}, **GENERATING)
    line.on(buttons["all"].click, measurer(lab), [model], drawn, **STUDYING)
    line.on(buttons["own"].click, own_measurer(lab), [model, upload, pasted], drawn, **STUDYING)
    line.stoppable()


def _buttons() -> tuple[dict[str, gr.Button], gr.HTML]:
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="lm-buttons"):
        buttons["judge"] = gr.Button("Compare", elem_id="prompt-judge", scale=0, min_width=120)
        buttons["all"] = gr.Button(
            "Measure the shipped pairs", elem_id="prompt-pairs-all", scale=0, min_width=200
        )
        buttons["stop"] = gr.Button(
            "Stop", interactive=False, elem_id="prompt-pairs-stop", scale=0, min_width=90
        )
        status = static("", elem_id="prompt-pairs-status", elem_classes="lm-status")
    return buttons, status


def _own(lab: Lab, buttons: dict[str, gr.Button]) -> tuple[gr.File, gr.Textbox]:
    with gr.Accordion("Pairs of your own", open=False, elem_id="prompt-pairs-own"):
        upload, pasted = upload_table.given(
            "prompt-pairs",
            lab.settings.uploads,
            placeholder="good,bad\nThe dogs bark.,The dogs barks.",
            info="two columns; a third one, kind, puts them into groups",
        )
        with gr.Row(elem_classes="lm-buttons"):
            buttons["own"] = gr.Button(
                "Measure these pairs", size="sm", elem_id="prompt-pairs-use", scale=0
            )
    return upload, pasted


def judger(lab: Lab) -> Callable[..., Work]:
    """One minimal pair."""

    def judge(good: str, bad: str, model: str) -> Work:
        if not (good or "").strip() or not (bad or "").strip():
            raise InputError("A pair needs two sentences.", "Fill both boxes.")
        yield Busy(f"{model}: reading …")
        import_core()
        from lmlab.scoring.pairs import Judged, first_difference

        found = yield from result(
            lab.service(Prompting).judge(model, good, bad), Judged, lambda step: step
        )
        return {"box": prompt_view.pair(found, *first_difference(found.good, found.bad))}

    return judge


def measurer(lab: Lab) -> Callable[..., Work]:
    """All shipped pairs."""
    return lambda model: _measured(lab, model, None)


def own_measurer(lab: Lab) -> Callable[..., Work]:
    """The visitor's pairs."""

    def measure(model: str, file: Any, pasted: str) -> Work:
        import_core()
        from lmlab.scoring.pairs import pairs_of

        table = lab.service(Prompting).table(*upload_table.content(file, pasted))
        return (yield from _measured(lab, model, pairs_of(table)))

    return measure


def _measured(lab: Lab, model: str, pairs: Any) -> Work:
    yield Busy(f"{model}: reading …")
    last: Any = None
    for event in lab.service(Prompting).judge_all(model, pairs):
        if isinstance(event, Loading):
            yield event
        else:
            last, said = event, f"{len(event.rows)} of {event.total} pairs"
            yield Busy(said, len(event.rows) / event.total, {"table": pair_table(event)})
    return {"table": pair_table(last), "every": pair_list(last)}
