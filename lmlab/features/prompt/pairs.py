"""Minimal pairs on the Prompt tab: two sentences, the shipped set, a table of the visitor's own."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.budget import measure_named
from lmlab.errors import InputError
from lmlab.features.prompt import views
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.widgets import PAIR, Widget
from lmlab.lab import Lab, import_core
from lmlab.parts import upload_table
from lmlab.parts.stream import GENERATING, STUDYING, Busy, Line, Work, result
from lmlab.parts.widgets import static
from lmlab.progress import Loading
from lmlab.text.uploads import read_upload

FIRST = ("The book on the tables is new.", "The book on the tables are new.")


def build(lab: Lab, model: gr.Dropdown, rows: gr.Radio) -> None:
    """Draw the part and wire it; ``rows`` says whether all are measured."""
    looks: dict[str, Any] = {"min_width": 220, "max_lines": 3}
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Minimal pairs: which of two sentences does the model prefer?</h2>')
        with gr.Row(elem_classes="lm-controls"):
            good = gr.Textbox(FIRST[0], label="One sentence", elem_id="prompt-good", **looks)
            bad = gr.Textbox(FIRST[1], label="The other", elem_id="prompt-bad", **looks)
        with gr.Row(elem_classes="lm-buttons"):
            judge = gr.Button("Compare", elem_id="prompt-judge", scale=0, min_width=120)
            every = gr.Button(
                "Measure the shipped pairs", elem_id="prompt-pairs-all", scale=0, min_width=200
            )
            stop = gr.Button(
                "Stop", interactive=False, elem_id="prompt-pairs-stop", scale=0, min_width=90
            )
            status = static("", elem_id="prompt-pairs-status", elem_classes="lm-status")
        with gr.Accordion("Pairs of your own", open=False, elem_id="prompt-pairs-own"):
            given = upload_table.given(
                "prompt-pairs",
                lab.settings.uploads,
                placeholder="good,bad\nThe dogs bark.,The dogs barks.",
                info="two columns; a third one, kind, puts them into groups",
            )
            with gr.Row(elem_classes="lm-buttons"):
                own = gr.Button(
                    "Measure these pairs", size="sm", elem_id="prompt-pairs-use", scale=0
                )
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(scale=3, min_width=300):
                box = Widget(PAIR, elem_id="prompt-pair")
            with gr.Column(scale=2, min_width=300):
                table = static("", elem_id="prompt-pairs-table")
        listed = static("", elem_id="prompt-pairs-list")
    line, handlers = Line(status, stop), Handlers(lab)
    drawn = {"table": table, "every": listed}
    asked = [judge.click, good.submit, bad.submit]
    line.on(asked, handlers.judge, [good, bad, model], {"box": box}, **GENERATING)
    line.on(every.click, handlers.measure, [model, rows], drawn, **STUDYING)
    line.on(own.click, handlers.measure_own, [model, rows, *given], drawn, **STUDYING)
    line.stoppable()


@dataclass(frozen=True)
class Handlers:
    """What asks the lab."""

    lab: Lab

    def judge(self, good: str, bad: str, model: str) -> Work:
        """One minimal pair."""
        if not (good or "").strip() or not (bad or "").strip():
            raise InputError("A pair needs two sentences.", "Fill both boxes.")
        yield Busy(f"{model}: reading …")
        import_core()
        from lmlab.scoring.pairs import Judged, first_difference

        asked = self.lab.service(Prompting).judge(model, good, bad)
        found = yield from result(asked, Judged, lambda step: step)
        return {"box": views.pair(found, *first_difference(found.good, found.bad))}

    def measure(self, model: str, rows: str, pairs: Any = None) -> Work:
        """Many pairs: all shipped ones, or those that are handed over."""
        yield Busy(f"{model}: reading …")
        last: Any = None
        for event in self.lab.service(Prompting).judge_all(model, pairs, measure_named(rows)):
            if isinstance(event, Loading):
                yield event
            else:
                last, said = event, f"{len(event.rows)} of {event.total} pairs"
                share = event.left.share if event.left else 0.0
                said += f", {event.left.told}" if event.left else ""
                yield Busy(said, share, {"table": views.pair_table(event)})
        return {"table": views.pair_table(last), "every": views.pair_list(last)}

    def measure_own(self, model: str, rows: str, file: Any, pasted: str) -> Work:
        """The visitor's pairs."""
        import_core()
        from lmlab.scoring.pairs import pairs_of

        table = read_upload(*upload_table.content(file, pasted))
        return (yield from self.measure(model, rows, pairs_of(table)))
