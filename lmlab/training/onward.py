"""Tuning on from an adapter: its settings are the run's, its weights the first step's."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file

from lmlab.errors import InputError, LabError, ModelError
from lmlab.models.backends.transformers.adapterkeys import MisfitError, fitted, plain_key
from lmlab.models.backends.transformers.adapters import BEYOND_LORA, WEIGHTS
from lmlab.models.forms import learned_form
from lmlab.training.config import FinetuneConfig
from lmlab.training.methods import Tuned
from lmlab.training.shapes import ModelShape, lora_targets

MERGE = "Merge it first (lmlab merge), and tune what comes of that."


def settings_of(folder: Path, shape: ModelShape) -> dict[str, Any]:
    """The settings of a run that goes on from an adapter, as far as the adapter decides. Raises
    ModelError: it is no adapter that lmlab could have learned on this model.
    """
    raw, name = _config(folder), folder.name
    if raw.get("peft_type") == "PROMPT_TUNING":
        return {"method": "prompt", "length": int(raw["num_virtual_tokens"])}
    beyond = [key for key in BEYOND_LORA if key != "use_dora" and raw.get(key)]
    beyond += [key for key in ("rank_pattern", "alpha_pattern") if raw.get(key)]
    beyond += ["bias"] if raw.get("bias", "none") != "none" else []
    if raw.get("peft_type") != "LORA" or beyond:
        what = f"of the kind {str(raw.get('peft_type'))[:40]}"
        what = f"with {beyond[0]}" if beyond else what
        raise ModelError(f"Tuning cannot go on from ‘{name}’, an adapter {what}.", MERGE)
    found: dict[str, Any] = {
        "method": "lora",
        "rank": int(raw["r"]),
        "alpha": float(raw["lora_alpha"]),
        "rslora": bool(raw.get("use_rslora")),
        "dora": bool(raw.get("use_dora")),
        "start": "zero",
    }
    return {**found, **_targets(folder, shape, FinetuneConfig(**found))}


def form_of(folder: Path) -> dict[str, Any]:
    """The form that an adapter was tuned in, where that is known, as a setting."""
    form = learned_form(folder)
    return {"form": form} if form else {}


def check(config: FinetuneConfig, fixed: Mapping[str, Any], name: str) -> None:
    """Refuse settings that are not the adapter's. Raises InputError: names them."""
    if config.method != fixed["method"] and config.method in ("full", "selective"):
        raise InputError(f"Tuning of the method {config.method} leaves no adapter ‘{name}’.", MERGE)
    if changed := replace(config, **fixed).changed(config):
        raise InputError(
            f"The adapter ‘{name}’ has other settings: {'; '.join(changed)}.",
            "Leave them out, or start from the base alone.",
        )


def put_in(tuned: Tuned, folder: Path) -> Tuned:
    """Give what learns the adapter's values; the model is changed. Raises ModelError: they do not
    fit.
    """
    name = folder.name
    try:
        tensors = load_file(folder / WEIGHTS)
        expected = get_peft_model_state_dict(tuned.model, save_embedding_layers=False)
        with torch.no_grad():
            set_peft_model_state_dict(tuned.model, fitted(tensors, expected, {}))
    except MisfitError as misfit:
        raise ModelError(f"The adapter ‘{name}’ does not fit: {misfit.reason}.") from misfit
    except OSError as error:
        raise ModelError(f"The adapter ‘{name}’ cannot be read any more.") from error
    return replace(tuned, goes_on=True)


def _config(folder: Path) -> dict[str, Any]:
    try:
        raw = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        int(raw["num_virtual_tokens"] if "num_virtual_tokens" in raw else raw.get("r", 0))
    except (OSError, ValueError, TypeError, RecursionError):
        raise ModelError(f"The adapter_config.json of ‘{folder.name}’ is damaged.") from None
    return dict(raw)


def _targets(folder: Path, shape: ModelShape, config: FinetuneConfig) -> dict[str, Any]:
    """Targets and layers that mean the very matrices beside which the adapter has its own."""
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as opened:
            keys = [plain_key(key) for key in opened.keys()]  # noqa: SIM118
    except Exception as error:
        raise ModelError(f"The file {WEIGHTS} of ‘{folder.name}’ cannot be read.") from error
    wanted = {key.partition(".lora_")[0] for key in keys if ".lora_" in key}
    for targets, layers in _ways(shape, wanted):
        tried = replace(config, targets=targets, layers=layers)
        try:
            found = {p.module for p in lora_targets(shape, tried)}
        except LabError:
            continue
        if found == wanted:
            return {"targets": targets, "layers": layers}
    raise ModelError(
        f"Tuning cannot go on from the adapter ‘{folder.name}’: it stands beside other "
        f"matrices than the linear maps of ‘{shape.name}’.",
        f"Is that the base that it was made for? {MERGE}",
    )


def _ways(shape: ModelShape, wanted: set[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Ways of naming some matrices, the shortest first."""
    here = [p for p in shape.parameters if p.module in wanted and p.linear]
    leaves = ",".join(dict.fromkeys(p.leaf for p in here))
    layers = tuple(sorted({p.layer for p in here if p.layer is not None}))
    for targets in ("auto", "all-linear", leaves):
        if targets:
            yield targets, ()
            yield targets, layers
    if here and len(wanted) <= 64:
        yield ",".join(sorted(wanted)), ()
