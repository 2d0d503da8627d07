"""Bits per byte of models at hand on held-out texts against their size, measured live."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from lmlab.features.scale import plots, receipt_notes
from lmlab.features.scale.amounts import flops, short
from lmlab.features.scale.feature import FEATURE
from lmlab.features.scale.form import whole
from lmlab.features.scale.measured import Measured, PowerLaw, power_laws, same_tokens
from lmlab.features.scale.service import Scaling
from lmlab.features.scale.table_page import MOST, SIBLINGS, defaults
from lmlab.lab import Lab
from lmlab.parts.html import filled
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.saving import Saver
from lmlab.parts.stream import QUIET, SCORING, Busy, Line, Pace, Work, on
from lmlab.parts.tables import csv_of, rows_of
from lmlab.parts.widgets import chart, static
from lmlab.progress import Loading

KINDS = ("stories", "older prose", "encyclopaedia", "shuffled stories", "German")
TEXTS = 6
BITS, PERPLEXITY = "bits per byte", "perplexity"
SIZE, COMPUTE = "parameters N", "compute 6·N·D"
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


def build(lab: Lab, tab: gr.Tab) -> None:
    """Draw the measured part and wire it; the first time the tab is opened it measures."""
    static(
        '<h2 class="lm-h2">Measured: held-out text against size</h2><p class="lm-why">Computed '
        "here and now by the models below on the texts that ship for this; none of the embedded "
        "models saw them in training.</p>"
    )
    models, kinds, count, go, stop = _form(lab)
    with gr.Row(elem_classes="lm-chips"):
        line = Line(static("", elem_id="scale-status", elem_classes="lm-status"), stop)
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
            saver = Saver("scale-measured-csv", size="sm")
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(min_width=320):
                plot = chart(plots.by_size([]), "scale-measured-plot")
            with gr.Column(min_width=320):
                shown = static(EMPTY, elem_id="scale-measured")
    keep = Keep("scale-measured", ("scale-measured-plot", "scale-measured"))
    line.keep = keep
    kept, measure, outputs = gr.State(()), measurer(lab), {"plot": plot, "shown": shown}
    asked = ([models, kinds, count, axis, against], {**outputs, "kept": kept})
    line.on(go.click, measure, *asked, trigger_mode="always_last", **SCORING)
    line.on(tab.select, measure, *asked, unless=[kept], trigger_mode="once", **SCORING)
    line.stoppable()
    keep.notes(receipt_notes.of_measured, [kept])
    turned = [axis.input, against.input]
    on(turned, drawn, [kept, axis, against], outputs, trigger_mode="always_last", **QUIET)
    saver.gives("measured.csv", lambda found: measured_csv(found) if found else "", kept)


def _form(lab: Lab) -> tuple[Any, ...]:
    """Models, kinds of text, how many of each; the buttons that measure and stop."""
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=4, min_width=300):
            models = model_picker(
                lab, "scale-measured-models", "Models", multiselect=True, value=defaults(lab),
                max_choices=MOST, needs=FEATURE.needs,
            )  # fmt: skip
            kinds = gr.CheckboxGroup(
                list(KINDS), value=list(KINDS[:3]), label="kinds of text", elem_id="scale-kinds"
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
    return models, kinds, count, go, stop


def measurer(lab: Lab) -> Callable[..., Work]:
    """The handler that measures."""

    def measure(
        models: Sequence[str] | None, kinds: Sequence[str] | None, count: Any, axis: str,
        against: str,
    ) -> Work:  # fmt: skip
        names, chosen = list(models or ()), list(kinds or ())
        wanted = max(1, len(set(names)) * len(chosen))
        found: tuple[Measured, ...] = ()
        pace = Pace()
        yield Busy("reading …")
        for step in lab.service(Scaling).measure(names, chosen, whole(count, "texts")):
            if isinstance(step, Measured):
                found += (step,)
                shown = {**drawn(found, axis, against), "kept": found}
                yield Busy(f"{step.model}: {step.kind}", len(found) / wanted, shown)
            elif isinstance(step, Loading):
                yield Busy(step.message, len(found) / wanted)
            elif pace.is_due():
                share = (len(found) + step.done / max(1, step.total)) / wanted
                said = f"{len(found)} of {wanted} measured, {step.done:,} tokens of the next"
                yield Busy(said, share)
        return {}

    return measure


def drawn(found: Sequence[Measured] | None, axis: str, against: str) -> dict[str, Any]:
    """The chart; the table with exponents and notes."""
    compute, perplexity = against == COMPUTE, axis == PERPLEXITY
    plot = plots.by_size(found or (), SIBLINGS, perplexity=perplexity, compute=compute)
    if not found:
        return {"plot": plot, "shown": EMPTY}
    notes = []
    siblings = [one for one in found if one.model in SIBLINGS]
    if not compute and not perplexity:
        notes += [fitted(kind, law) for kind, law in power_laws(siblings, SIBLINGS).items()]
    if len({one.tokens_seen for one in siblings}) > 1:
        notes.append(FEWER)
    texts = {one.kind: f"{one.kind} {one.n_texts:,}" for one in found}
    notes += [TOKENS, f"Texts read: {', '.join(texts.values())}; sums over all of a kind."]
    if not same_tokens(found):
        notes.append(APART)
    without = list(dict.fromkeys(one.model for one in found if compute and not one.flops))
    if without:
        notes.append(f"Not drawn, since D is not known: {', '.join(without)}.")
    words = {"short": short, "flops": flops}
    return {
        "plot": plot,
        "shown": filled("features/scale/measured", found=found, notes=notes, **words),
    }


def fitted(kind: str, law: PowerLaw) -> str:
    """A power law in words, with how far each model lies from it.

    >>> fitted("stories", PowerLaw(-0.15, 8.0, (("tiny", 0.01), ("base", -0.02))))
    'Fit of stories: 8.00 · N^−0.150; tiny lies +1.0 %, base −2.0 % from it.'
    """
    apart = ", ".join(
        f"{name} {'lies ' if i == 0 else ''}{math.expm1(residual):+.1%}".replace("%", " %")
        for i, (name, residual) in enumerate(law.residuals)
    )
    told = f"Fit of {kind}: {law.factor:.2f} · N^{law.exponent:.3f}; {apart} from it."
    return told.replace("-", "−")


def measured_csv(found: Sequence[Measured]) -> str:
    """What was measured, one model and kind a row."""
    columns = (
        "model kind parameters tokens_seen training_flops=flops bits_per_byte perplexity nats "
        "tokens=n_tokens bytes=n_bytes texts=n_texts vocabulary"
    )
    return csv_of(rows_of(found, columns))
