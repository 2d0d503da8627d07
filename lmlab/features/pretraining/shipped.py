"""How the embedded base learned: its losses along its one pre-training run, from the record beside
its weights, and the checkpoints that were kept on the way."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, cycle
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from lmlab.assets import models_dir
from lmlab.features.pretraining.run import FILLED, PRESS
from lmlab.lab import Lab
from lmlab.parts import plots
from lmlab.parts.gradio_compat.building import elsewhere
from lmlab.parts.plots import FIRST, GREY, MEAN, MEAN_SECOND, SECOND
from lmlab.parts.run_widgets import hand_over
from lmlab.parts.stream import Shown
from lmlab.parts.widgets import chart, static

STEPS = "base-steps/"
NAMES = {
    "stories": "stories",
    "books_children": "older children’s books",
    "wiki": "encyclopaedia",
    "tasks": "task documents",
}
INKS = (SECOND, MEAN, MEAN_SECOND, FIRST)
DASHES = ("solid", "dash", "dot", "dashdot")
PHASES = {
    "late": "task documents come in",
    "falling": "the learning rate falls",
    "again": "more tasks",
}
ABOUT = """<h2 class="lm-h2">The embedded base, as it learned</h2><p class="lm-why">Not computed
here: what was written down while <b>base</b> was pre-trained, {tokens:.0f} million tokens in
{steps:,} steps. Held-out text of each kind, in nats a token. Its checkpoints can be asked like any
model: the untrained one too.</p>"""


def build(lab: Lab) -> None:
    """Draw the curve and the checkpoints inside the current Blocks; nothing without a record."""
    if (story := record()) is None:
        return
    steps = story["losses"][-1]["step"]
    with gr.Column(elem_classes="lm-panel", elem_id="pretraining-shipped"):
        static(ABOUT.format(tokens=story["tokens"] / 1e6, steps=steps))
        chart(curve(story), "pretraining-shipped-plot")
        names, filled = checkpoints(lab), elsewhere("completion", FILLED)
        if names and filled:
            with gr.Row(elem_classes="lm-buttons"):
                step = gr.Dropdown(
                    [(f"step {int(name.rpartition('-')[2]):,}", name) for name in names],
                    value=names[0], label="checkpoint", elem_id="pretraining-step", min_width=160,
                )  # fmt: skip
                go_on = gr.Button("Complete with it", elem_id="pretraining-step-go", min_width=150)
            handler = partial(completed, names)
            hand_over(go_on.click, handler, [step], filled, "completion", PRESS)


def completed(names: Sequence[str], name: str) -> Shown:
    """The Completion tab with a checkpoint, on a beginning that each of them can be compared by."""
    return {"model": name if name in names else names[0], "prompt": "Once upon a time"}


def checkpoints(lab: Lab) -> list[str]:
    """Those that the page may load, from the first step to the last."""
    found = [name for name in lab.model_names() if name.startswith(STEPS)]
    return sorted(found, key=lambda name: int(name.rpartition("-")[2]))


def record() -> dict[str, Any] | None:
    """What was written down; None where the base has no such record."""
    try:
        found = json.loads((models_dir() / "base" / "training.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and {"losses", "held_out_nats", "phases"} <= found.keys()
    return found if known else None


def curve(story: Mapping[str, Any]) -> go.Figure:
    """The loss of what is read, and of each kind of held-out text, over steps; where
    the run changed stands a line."""
    figure = plots.empty()
    figure.update_layout(
        meta={"points": "steps"}, height=380,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"},
    )  # fmt: skip
    figure.update_xaxes(title_text="step", tickformat=",")
    figure.update_yaxes(title_text="loss, nats a token", rangemode="normal")
    losses, held = story["losses"], story["held_out_nats"]
    figure.add_scatter(
        x=[row["step"] for row in losses], y=[row["loss"] for row in losses],
        name="what it reads", mode="lines", line={"color": GREY, "width": 1}, opacity=0.6,
        hovertemplate="step %{x:,}: %{y:.2f}<extra>what it reads</extra>",
    )  # fmt: skip
    for (part, name), ink, dash in zip(NAMES.items(), cycle(INKS), cycle(DASHES), strict=False):
        rows = [row for row in held if part in row]
        figure.add_scatter(
            x=[row["step"] for row in rows], y=[row[part] for row in rows], name=name,
            mode="lines+markers", line={"color": ink, "dash": dash, "width": 2},
            marker={"size": 5},
            hovertemplate=f"step %{{x:,}}: %{{y:.3f}}<extra>{name}</extra>",
        )  # fmt: skip
    for level, (step, said) in enumerate(turns(story)):
        figure.add_vline(x=step, line={"color": GREY, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=step, y=1 - 0.09 * level, yref="paper", text=said, showarrow=False,
            xanchor="right", yanchor="top", xshift=-6,
        )  # fmt: skip
    return figure


def turns(story: Mapping[str, Any]) -> list[tuple[int, str]]:
    """At which step a phase begins after the first, and what is new in it."""
    size, phases = story["config"]["batch_tokens"], story["phases"]
    read = accumulate((one["windows"] * one["length"] for one in phases), initial=0)
    begins = [(tokens // size, one["share"]) for tokens, one in zip(read, phases, strict=False)]
    return [(step, PHASES[share]) for step, share in begins if share in PHASES]
