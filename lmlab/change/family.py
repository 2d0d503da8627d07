"""What was made from an embedded base. Reads configs alone; imports no torch."""

import json
import re
from pathlib import Path
from typing import Any

from lmlab.errors import ModelError
from lmlab.models.store import ModelRef, ModelStore

# What two models have in common whose matrices can be subtracted.
SHAPE = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "vocab_size",
    "tie_word_embeddings",
)


def relatives(store: ModelStore, base: str) -> list[str]:
    """Names of what can be laid beside an embedded base: its adapters, then models of its shape.

    Empty for a base that is not embedded, or that has an adapter itself.
    """
    known = store.embedded()
    if base not in known:
        return []
    mine = _shape(store, base)
    adapters = [name for name in store.embedded_adapters() if _is_for(store, base, name)]
    models = [name for name in known if name != base and _shape(store, name) == mine]
    return [f"{base}+{name}" for name in adapters] + sorted(models, key=_order)


def _shape(store: ModelStore, name: str) -> tuple[Any, ...]:
    config = _read(store.resolve(ModelRef(name), _silent) / "config.json")
    return tuple(config.get(key) for key in SHAPE)


def _is_for(store: ModelStore, base: str, adapter: str) -> bool:
    folder = store.resolve_adapter(ModelRef(base, adapter), _silent)
    made_for = str(_read(folder / "adapter_config.json").get("base_model_name_or_path", ""))
    return made_for.rstrip("/").rsplit("/", 1)[-1] == base.rsplit("/", 1)[-1]


def _order(name: str) -> tuple[bool, list[int], str]:
    """Variants before training checkpoints; those by their numbers."""
    return "/" in name, [int(digits) for digits in re.findall(r"\d+", name)], name


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"‘{file.parent.name}’ has a damaged {file.name}.") from None
    return found if isinstance(found, dict) else {}


def _silent(message: str) -> None:
    """Nothing is fetched, so there is nothing to say."""
