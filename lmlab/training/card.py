"""A run's model card: data, settings and figures, from what the run wrote."""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from lmlab.assets import SHIPPED
from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.events import Finished, Started

IN_CHECKOUT = (
    "Its base came with lmlab: run this in a checkout of lmlab, where `{}` is. When lmlab pushes "
    "the adapter to the Hub, its base goes along."
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")

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
    """The card as Markdown.

    Args:
        base: what it began from: an id of the Hub, perhaps with a revision after an @, or a folder.
        measured: how many of the held-out rows are.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"json": json.dumps, "commas": "{:,}".format, "said": _said}
    source = Path(__file__).with_name("card.md.jinja").read_text(encoding="utf-8")
    settings = (*OWN[config.method], *SHARED)
    known = {"title": title, "base": base, "data": data, "template": template, "config": config}
    known |= origin(base, config)
    return environment.from_string(source).render(
        **known, started=started, finished=finished, settings=settings, measured=measured
    )


def retold(card: str, base: str, hub_id: str, config: FinetuneConfig) -> str:
    """A card whose base lies on the Hub now, under an id."""
    known = origin(hub_id, config)
    front = f"base_model: {hub_id}\nbase_model_relation: {known['relation']}\n"
    card = card.replace("pipeline_tag:", f"{front}pipeline_tag:", 1)
    card = re.sub(r"^tags: .*$", f"tags: {json.dumps(known['tags'])}", card, count=1, flags=re.M)
    return card.replace(IN_CHECKOUT.format(base) + "\n", "").replace(f"`{base}`", f"`{hub_id}`")


def origin(base: str, config: FinetuneConfig) -> dict[str, Any]:
    """What the front matter says of the base, where that is an id of the Hub, as PEFT says it; the
    Hub refuses a card that names anything else there.

    >>> origin("me/x@main", FinetuneConfig())["tags"]
    ['base_model:adapter:me/x', 'lmlab', 'lora', 'transformers']
    >>> origin("assets/models/tiny", FinetuneConfig())["hub_id"]
    ''
    """
    name = base.partition("@")[0]
    relation, method = "adapter" if config.is_adapter else "finetune", config.method
    hub_id = name if _HUB_ID.fullmatch(name) else ""
    tags = ["lmlab", "prompt-tuning" if method == "prompt" else method, "transformers"]
    tags += [f"base_model:{relation}:{hub_id}"] if hub_id else []
    shipped = IN_CHECKOUT.format(name) if name.startswith(SHIPPED) and config.is_adapter else ""
    return {"hub_id": hub_id, "relation": relation, "tags": sorted(tags), "shipped": shipped}


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
