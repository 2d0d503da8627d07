"""``--model`` and ``--adapter``, which stand side by side in every command."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError

if TYPE_CHECKING:
    from lmlab.models.refs import ModelRef

MODEL = "embedded name, folder or Hub id"
ADAPTER = "a PEFT adapter on top: embedded name, folder or Hub id"
BOS = "tokenizer (what it adds by itself), always, never, or a token to begin with"
CHAT = "the prompt is a question in the model's own chat form"


def add_model(
    command: Any, default: str | None = "base", about: str = MODEL, adapter: str = ADAPTER
) -> None:
    """Declare the two options."""
    command.add_argument("--model", default=default, help=about)
    command.add_argument("--adapter", help=adapter)


def asked_ref(arguments: argparse.Namespace) -> "ModelRef":
    """The model that is asked for, its adapter on top."""
    from lmlab.models.refs import ModelRef

    return ModelRef.parse(arguments.model or "base").with_adapter(arguments.adapter)


def asked_models(models: Sequence[str], adapters: Sequence[str]) -> list[str]:
    """Several models, each with its adapter, or one model with each of several."""
    from lmlab.models.refs import ModelRef

    if not adapters:
        return list(models)
    if len(models) not in (1, len(adapters)):
        raise InputError(
            f"{len(models)} models and {len(adapters)} adapters do not go together.",
            "Give one --model, or one for each --adapter.",
        )
    several = list(models) * (len(adapters) if len(models) == 1 else 1)
    pairs = zip(several, adapters, strict=True)
    return [str(ModelRef.parse(model).with_adapter(adapter)) for model, adapter in pairs]


def is_same_model(asked: str, then: str) -> bool:
    """Whether a model asked for now is the one of then, whose folder is named by its whole path."""
    from lmlab.runs.model_store import ModelStore

    if then in (asked, ModelStore().pinned(asked)):
        return True
    # From another directory a relative name means nothing; its end still tells.
    parts = [part for part in Path(asked).parts if part not in (".", "..")]
    return not Path(asked).exists() and Path(then).parts[-len(parts) :] == tuple(parts)
