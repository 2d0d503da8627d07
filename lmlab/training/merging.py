"""An adapter written into its base's weights: one folder that plain transformers loads."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lmlab.errors import InputError, LabError, ModelError, disk_error
from lmlab.models.backends.transformers.adapters import Adapters
from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.models.backends.transformers.model import Weights
from lmlab.models.devices import DTYPES
from lmlab.models.forms import learned_form, note_form
from lmlab.models.refs import ModelRef
from lmlab.models.store import FolderStore
from lmlab.training.whole import whole_folder

PROBE = 16  # tokens on which the merged model is held against the adapter
CLOSE = 1e-3  # of the largest logit
GENERATION = "generation_config.json"


def check_free(out: Path) -> None:
    """Refuse a folder that holds something. Raises InputError: it does."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"‘{out.name}’ is there already.", "Name another folder.")


def merge(ref: ModelRef, out: Path, store: FolderStore, dtype: str = "") -> str:
    """Write a model with its adapter's changes in its own weights, beside its tokenizer.

    Args:
        ref: base and adapter, or a run that learned one; its α counts.
        dtype: of the folder's weights, ``float32``, ``bfloat16`` or ``float16``; empty: the base's
            own. What was taken is returned.

    Raises:
        InputError: no adapter is named, or the folder is there already.
        ModelError: one of the two cannot be read, or the adapter is of a kind that is no change of
            weights.
        OSError: the disk is full, for instance.
    """
    check_free(out)
    silent = lambda message: None  # noqa: E731
    adapter = store.adapter_of(ref, silent)
    if adapter is None:
        raise InputError(
            f"‘{ref}’ has no adapter that could be merged.", "Name one with --adapter."
        )
    folder = store.resolve(replace(ref, adapter=None), silent)
    # Added in float32, whatever the base is written in: rounded once, at the end.
    settings = store.settings.model_copy(update={"dtype": "float32", "device": "cpu"})
    weights = load(inspect(folder, ref.name), settings)
    merged = _merged(weights, adapter, ref.alpha)
    dtype = dtype or _dtype_of(folder)
    try:
        _write(merged.to(DTYPES[dtype]), weights, (folder, adapter), out)
    except OSError as error:
        raise disk_error(error) or error from None
    return dtype


def _merged(weights: Weights, adapter: Path, alpha: float) -> Any:
    """The model with the changes in it, held against the adapter by itself."""
    adapters = Adapters(weights.model)
    if adapters.activate(adapter, alpha).soft_prompt is not None:
        raise ModelError(
            f"‘{adapter.name}’ is a soft prompt: it stands before the text and cannot be merged "
            "into weights.",
            "Use it beside its base, as --adapter.",
        )
    rows = int(weights.model.get_input_embeddings().weight.shape[0])
    ids = torch.arange(PROBE)[None] * 7 % rows
    wanted = _logits(weights.model, ids)
    try:
        merged = adapters.peft.merge_and_unload(safe_merge=True)
        apart = float((_logits(merged, ids) - wanted).abs().max())
    except LabError:
        raise
    except Exception as error:
        kind = getattr(adapters.peft.peft_config["default"].peft_type, "value", "this")
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        if isinstance(error, AttributeError):  # PEFT has no such thing for it
            first = "it changes more than weights"
        raise ModelError(
            f"An adapter of the kind {kind} cannot be merged into weights: {first.rstrip('.')}.",
            "Use it beside its base, as --adapter.",
        ) from error
    if not apart <= CLOSE * float(wanted.abs().max()):
        raise ModelError(
            f"With ‘{adapter.name}’ in its weights the model answers otherwise than with the "
            "adapter beside it: the change is not one of weights alone, or it falls on weights "
            "that two layers share.",
            "Use it beside its base, as --adapter.",
        )
    return merged


@torch.inference_mode()
def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


def _dtype_of(folder: Path) -> str:
    """The number format that a base is written in."""
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    parts = (raw, raw.get("text_config") or {})
    found = [part.get(key) for part in parts for key in ("dtype", "torch_dtype")]
    return next((str(one) for one in found if str(one) in DTYPES), "float32")


def _write(model: Any, weights: Weights, sources: tuple[Path, Path], out: Path) -> None:
    """Model, tokenizer, generation config and form, whole or not at all."""
    base, adapter = sources
    final = out.absolute()
    with whole_folder(final, final.with_name(f".{final.name}.partial")) as partial:
        model.save_pretrained(partial)
        weights.vocabulary.tokenizer.save_pretrained(partial)
        # An adapter of lmlab's says where generation stops after it.
        for source in (base, adapter):
            if (source / GENERATION).is_file():
                shutil.copyfile(source / GENERATION, partial / GENERATION)
        if form := learned_form(adapter) or learned_form(base):
            note_form(partial, form)
        check_free(out)  # after minutes of work
