"""A run's model card: data, settings and figures, from what the run wrote."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.events import Finished, Started

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
    measured: int,
) -> str:
    """The card as Markdown; ``measured``: how many of the held-out rows are."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"json": json.dumps, "commas": "{:,}".format, "said": _said}
    source = Path(__file__).with_name("card.md.jinja").read_text(encoding="utf-8")
    settings = (*OWN[config.method], *SHARED)
    known = {"title": title, "base": base, "data": data, "template": template, "config": config}
    return environment.from_string(source).render(
        **known, started=started, finished=finished, settings=settings, measured=measured
    )


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
