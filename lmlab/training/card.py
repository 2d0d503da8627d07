"""A run's model card: data, settings and figures, from what the run wrote."""

import json
from typing import Any

from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.events import Finished, Started

FRONT = """---
library_name: {library}
base_model: {base}
pipeline_tag: text-generation
tags: [lmlab, {method}]
---
"""
SHARED = (
    "steps", "batch_size", "accumulation", "learning_rate", "schedule", "warmup", "weight_decay",
    "clip", "seed", "max_length", "form", "loss_on", "end_token",
)  # fmt: skip


def card(
    title: str,
    base: str,
    data: str,
    template: str,
    config: FinetuneConfig,
    started: Started,
    finished: Finished,
) -> str:
    """The card as Markdown."""
    library = "peft" if config.is_adapter else "transformers"
    front = FRONT.format(library=library, base=json.dumps(base), method=config.method)
    wording = f"the template `{template}`" if template else "plain text"
    parts = [
        f"{front}\n# {title}",
        f"`{base}` after {finished.step:,} steps of fine-tuning ({config.method}) with lmlab: "
        f"{started.trainable:,} of {started.total:,} parameters were trained.",
        f"## Data\n\n`{data}`, {started.rows:,} rows to learn from and {started.valid_rows:,} held "
        f"out, by {wording}.",
        "## Settings\n\n"
        + _table([(k, _said(getattr(config, k))) for k in (*OWN[config.method], *SHARED)]),
        "## Figures\n\n" + _figures(finished),
        f"Trained for {finished.seconds:.0f} seconds on {started.device} in {started.precision}.",
    ]
    return "\n\n".join(parts) + "\n"


def _figures(finished: Finished) -> str:
    rows = [
        ("held-out loss, nats a token", finished.valid_before, finished.valid_loss),
        ("loss on general text, nats a token", finished.probe_before, finished.probe_loss),
        ("held-out rows answered right", finished.accuracy_before, finished.accuracy),
    ]
    lines = [f"| {name} | {_said(a)} | {_said(b)} |" for name, a, b in rows]
    return "\n".join(["| | before | after |", "|---|---|---|", *lines])


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| setting | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name.replace('_', ' ')} | {value} |" for name, value in rows)])


def _said(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "all"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ") or "–"
