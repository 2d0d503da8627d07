"""What was made from an embedded base. Reads configs and cards alone; imports no torch."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from lmlab.assets import SHIPPED
from lmlab.errors import ModelError
from lmlab.runs.model_store import ModelRef, ModelStore

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

# How one model came to be beside another, in the order in which they are offered.
Kind = Literal["adapter", "tuned", "parent", "later", "earlier", "alike"]
KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        "adapter": "",
        "tuned": " · all weights tuned",
        "parent": " · what it was made from",
        "later": " · later in its training",
        "earlier": " · earlier in its training",
        "alike": " · same shape, kinship not stated",
    }
)
STEP = re.compile(r"(.+-steps)/step-(\d+)")
_MADE_FROM = re.compile(r"^base_model: *(\S+) *$", re.MULTILINE)
_FRONT = 2000  # characters of a card in which its front matter is looked for


@dataclass(frozen=True, slots=True)
class Relative:
    """What can be laid beside a base: an adapter for it; tuned from it, as the card says; what it
    was itself tuned from; a later or earlier checkpoint of one run; or alike in shape, with nothing
    said of more."""

    name: str
    kind: Kind


def relatives(store: ModelStore, base: str) -> list[Relative]:
    """What can be laid beside an embedded base, the nearest first.

    Empty for a base that is not embedded, or that has an adapter itself.
    """
    known = store.embedded()
    if base not in known:
        return []
    mine = _shape(store, base)
    adapters = [name for name in store.embedded_adapters() if _is_for(store, base, name)]
    found = [Relative(f"{base}+{name}", "adapter") for name in adapters]
    models = sorted((n for n in known if n != base and _shape(store, n) == mine), key=_order)
    found += [Relative(name, _kind(store, base, name)) for name in models]
    return sorted(found, key=lambda one: list(KINDS).index(one.kind))


def _kind(store: ModelStore, base: str, other: str) -> Kind:
    if _made_from(store, other) == base:
        return "tuned"
    if _made_from(store, base) == other:
        return "parent"
    here, there = STEP.fullmatch(base), STEP.fullmatch(other)
    if here and there and here[1] == there[1]:
        return "later" if int(there[2]) > int(here[2]) else "earlier"
    return "alike"


def _made_from(store: ModelStore, name: str) -> str:
    """What a model's card says that it was made from; empty where it says nothing."""
    try:
        card = (store.resolve(ModelRef(name), _silent) / "README.md").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    front = card[:_FRONT].split("---", 2)
    found = _MADE_FROM.search(front[1]) if len(front) == 3 and not front[0].strip() else None
    return found[1].removeprefix(SHIPPED) if found else ""


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
