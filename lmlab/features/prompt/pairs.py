"""Minimal pairs on the Prompt tab: two sentences, the shipped set, a table of the visitor's own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.prompt import prompt_view
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.views import pair_list, pair_table
from lmlab.features.prompt.widgets import PairBox
from lmlab.lab import Lab
from lmlab.parts import upload_table, waiting
from lmlab.parts.errors import alerts
from lmlab.parts.waiting import busy, idle
from lmlab.parts.widgets import static
from lmlab.progress import Loading

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
STUDYING = MappingProxyType({**QUIET, "concurrency_id": "study", "concurrency_limit": 1})
RUNNING = MappingProxyType({**QUIET, "concurrency_id": "generate", "concurrency_limit": 2})
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
    line, drawn = [status, buttons["stop"]], [table, every]
    asked = gr.on(
        [buttons["judge"].click, good.submit, bad.submit],
        judger(lab), [good, bad, model], [*line, box], **RUNNING,
    )  # fmt: skip
    shipped = buttons["all"].click(measurer(lab), model, [*line, *drawn], **STUDYING)
    own = buttons["own"].click(
        own_measurer(lab), [model, upload, pasted], [*line, *drawn], **STUDYING
    )
    waiting.stoppable(buttons["stop"], line, [asked, shipped, own])


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


def judger(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """One minimal pair: yields [status, stop, pair]."""

    @alerts
    def judge(good: str, bad: str, model: str) -> Iterator[list[Any]]:
        if not (good or "").strip() or not (bad or "").strip():
            raise InputError("A pair needs two sentences.", "Fill both boxes.")
        yield [*busy(f"{model}: reading …", 0), gr.skip()]
        with closing(lab.service(Prompting).judge(model, good, bad)) as events:
            for event in events:
                if isinstance(event, Loading):
                    yield [*busy(event.message, 0), gr.skip()]
                else:
                    from lmlab.scoring.pairs import first_difference

                    places = first_difference(event.good, event.bad)
                    yield [*idle(""), prompt_view.pair(event, *places)]

    return judge


def measurer(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """All shipped pairs: yields [status, stop, table, list]."""

    @alerts
    def measure(model: str) -> Iterator[list[Any]]:
        yield from _measured(lab, model, None)

    return measure


def own_measurer(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The visitor's pairs: yields [status, stop, table, list]."""

    @alerts
    def measure(model: str, file: Any, pasted: str) -> Iterator[list[Any]]:
        lab.service(Prompting).prepare()
        from lmlab.scoring.pairs import pairs_of

        table = lab.service(Prompting).table(*upload_table.content(file, pasted))
        yield from _measured(lab, model, pairs_of(table))

    return measure


def _measured(lab: Lab, model: str, pairs: Any) -> Iterator[list[Any]]:
    yield [*busy(f"{model}: reading …", 0), gr.skip(), gr.skip()]
    last: Any = None
    with closing(lab.service(Prompting).judge_all(model, pairs)) as events:
        for event in events:
            if isinstance(event, Loading):
                yield [*busy(event.message, 0), gr.skip(), gr.skip()]
            else:
                last = event
                said = f"{len(event.rows)} of {event.total} pairs"
                yield [*busy(said, len(event.rows) / event.total), pair_table(event), gr.skip()]
    yield [*idle(""), pair_table(last), pair_list(last)]
