"""Bits per byte of models at hand on held-out texts against their size, measured live."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from html import escape
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.scale import plots, receipt_notes, tables
from lmlab.features.scale.feature import FEATURE
from lmlab.features.scale.form import whole
from lmlab.features.scale.measured import Measured, same_tokens
from lmlab.features.scale.plots import flops, short
from lmlab.features.scale.service import Scaling
from lmlab.features.scale.table_page import MOST, defaults, handed
from lmlab.lab import Lab
from lmlab.numbers import large
from lmlab.parts import waiting
from lmlab.parts.errors import alerts
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.widgets import Handover, static
from lmlab.progress import Loading, Progress

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
RUNNING = MappingProxyType({**QUIET, "concurrency_id": "score", "concurrency_limit": 2})
KINDS = ("stories", "older prose", "encyclopaedia", "shuffled stories", "German")
FIRST = KINDS[:3]
TEXTS = 6
PATIENCE = 0.2
BITS, PERPLEXITY = "bits per byte", "perplexity"
SIZE, COMPUTE = "parameters N", "compute 6·N·D"
SIBLINGS = ("base", "small", "tiny")
EMPTY = (
    '<div class="lm-empty"><b>Nothing measured yet</b>Press Measure: each model reads the same '
    "held-out texts, a few seconds each.</div>"
)
FEWER = (
    "The siblings differ in more than size: the smaller ones also saw fewer tokens (D in the "
    "table), so this is no scaling law of parameters alone."
)
TOKENS = (
    "Bits per byte compares whatever the tokens; perplexity is per token, so it compares between "
    "models with the same tokens alone."
)
APART = "These models do not have the same tokens: their perplexities do not compare."


def build(lab: Lab, tab: Any) -> None:
    """Draw the measured part and wire it; the first time the tab is opened it measures."""
    static(
        '<h2 class="lm-h2">Measured: held-out text against size</h2><p class="lm-why">Computed '
        "here and now by the models below on the texts that ship for this; none of the embedded "
        "models saw them in training.</p>"
    )
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=4, min_width=300):
            models = model_picker(
                lab, "scale-measured-models", "Models", multiselect=True, value=defaults(lab),
                max_choices=MOST, needs=FEATURE.needs,
            )  # fmt: skip
            kinds = gr.CheckboxGroup(
                list(KINDS), value=list(FIRST), label="kinds of text", elem_id="scale-kinds"
            )
        with gr.Column(scale=2, min_width=300, elem_classes="lm-side"):
            count = gr.Slider(
                1, 76, TEXTS, step=1, label="texts of each kind, at most", elem_id="scale-count"
            )
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button(
                    "Measure", variant="primary", elem_id="scale-go", elem_classes="lm-go"
                )
                stop = gr.Button("Stop", interactive=False, elem_id="scale-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        status = static("", elem_id="scale-status", elem_classes="lm-status")
    axis, against, download, shown, handover = _chart()
    keep = Keep("scale-measured", ("scale-measured",))
    kept = gr.State(())
    asked, line = [models, kinds, count, axis, against], [status, stop]
    outputs = [*line, shown, kept]
    measure = measurer(lab)
    pressed = go.click(measure, asked, outputs, trigger_mode="always_last", **RUNNING)
    opened = tab.select(once(measure), [kept, *asked], outputs, trigger_mode="once", **RUNNING)
    waiting.stoppable(stop, line, [pressed, opened])
    follow(keep, [pressed, opened], receipt_notes.of_measured, [kept])
    gr.on(
        [axis.input, against.input], alerts(drawn), [kept, axis, against], shown,
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    download.click(_csv, kept, handover, **QUIET)


def _chart() -> tuple[Any, ...]:
    """The panel: [upwards, against, download button, what is shown, handover]."""
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            axis = gr.Radio(
                [BITS, PERPLEXITY], value=BITS, label="upwards", elem_id="scale-axis",
                min_width=220,
            )  # fmt: skip
            against = gr.Radio(
                [SIZE, COMPUTE], value=SIZE, label="against", elem_id="scale-against",
                min_width=330,
            )  # fmt: skip
            download = gr.Button("CSV", size="sm", min_width=60, elem_id="scale-measured-csv")
        shown = static(EMPTY, elem_id="scale-measured")
        handover = Handover(elem_id="scale-measured-handover")
    return axis, against, download, shown, handover


def measurer(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler that measures: yields [status, stop button, chart and table, what is kept]."""

    @alerts
    def measure(
        models: Sequence[str] | None, kinds: Sequence[str] | None, count: Any, axis: str,
        against: str,
    ) -> Iterator[list[Any]]:  # fmt: skip
        names, chosen = list(models or ()), list(kinds or ())
        wanted = max(1, len(set(names)) * len(chosen))
        found: list[Measured] = []
        last = 0.0
        yield [*waiting.busy("reading …", 0), gr.skip(), gr.skip()]
        with closing(lab.service(Scaling).measure(names, chosen, whole(count, "texts"))) as steps:
            for step in steps:
                if isinstance(step, Measured):
                    found.append(step)
                    told = tuple(found)
                    said = f"{step.model}: {step.kind}"
                    line = waiting.busy(said, len(found) / wanted)
                    yield [*line, drawn(told, axis, against), told]
                elif isinstance(step, Loading):
                    yield [*waiting.busy(step.message, len(found) / wanted), *[gr.skip()] * 2]
                elif isinstance(step, Progress) and time.monotonic() - last > PATIENCE:
                    last = time.monotonic()
                    share = (len(found) + step.done / max(1, step.total)) / wanted
                    said = f"{len(found)} of {wanted} measured, {step.done:,} tokens of the next"
                    yield [*waiting.busy(said, share), *[gr.skip()] * 2]
        yield [*waiting.idle(""), drawn(tuple(found), axis, against), tuple(found)]

    return measure


def once(handler: Callable[..., Iterator[list[Any]]]) -> Callable[..., Iterator[list[Any]]]:
    """The same handler, for when the tab opens: does nothing where something is measured."""

    def opened(kept: Sequence[Measured] | None, *values: Any) -> Iterator[list[Any]]:
        if kept:
            yield [gr.skip()] * 4
        else:
            yield from handler(*values)

    return opened


def drawn(found: Sequence[Measured] | None, axis: str, against: str) -> str:
    """Chart, exponents, notes and table."""
    if not found:
        return EMPTY
    compute, perplexity = against == COMPUTE, axis == PERPLEXITY
    chart = plots.by_size(found, SIBLINGS, perplexity=perplexity, compute=compute)
    texts = {one.kind: f"{one.kind} {one.n_texts:,}" for one in found}
    notes = [TOKENS, f"Texts read: {', '.join(texts.values())}; sums over all of a kind."]
    if len({one.model for one in found if one.model in SIBLINGS}) > 1:
        notes.insert(0, FEWER)
    if not same_tokens(found):
        notes.append(APART)
    without = list(dict.fromkeys(one.model for one in found if compute and not one.flops))
    if without:
        notes.append(f"Not drawn, since D is not known: {', '.join(without)}.")
    slopes = plots.exponents(found, SIBLINGS)
    if slopes and not compute and not perplexity:
        told = ", ".join(f"{kind} {value:.2f}" for kind, value in slopes.items())
        notes.insert(0, f"Slope among the siblings, log–log: {told}.".replace("-", "−"))
    said = "".join(f'<p class="lm-why">{escape(note)}</p>' for note in notes)
    return (
        '<div class="lm-measured"><div class="lm-curvebox wide" tabindex="0" role="region" '
        f'aria-label="Chart">{chart}</div>'
        f"<div>{_table(found)}{said}</div></div>"
    )


def _table(found: Sequence[Measured]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(one.model[:60])}</th><td>{escape(one.kind)}</td>'
        f"<td>{one.parameters:,}</td>"
        f"<td>{short(one.tokens_seen) if one.tokens_seen else '–'}</td>"
        f"<td>{flops(one.flops) if one.flops else '–'}</td>"
        f"<td><b>{one.bits_per_byte:.3f}</b></td><td>{large(one.perplexity)}</td></tr>"
        for one in found
    )
    return (
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Table of what was measured">'
        '<table class="lm-table lm-plain"><thead><tr><th>model</th><th>text</th><th>N</th>'
        "<th>D</th><th>6·N·D</th><th>bits per byte</th><th>perplexity</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


@alerts
def _csv(found: Sequence[Measured] | None) -> str:
    if not found:
        raise InputError("There is no table yet.", "Press Measure first.")
    return handed("measured.csv", tables.measured_csv(found))
