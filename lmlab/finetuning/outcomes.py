"""What a run begins with, its optimiser and number format, and the folder that it ends with."""

import shutil
from pathlib import Path
from typing import Any

import torch

from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.methods import Tuned, save
from lmlab.finetuning.whole import settle


def precision_of(config: FinetuneConfig, device: torch.device) -> str:
    """Number format of the computation."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def write(tuned: Tuned, base_name: str, run: Path, step: int) -> str:
    """Write what was learned by a step, whole or not at all, and drop what an earlier step left.

    The step is in the folder's name, so that whoever holds a model by its path never takes an old
    one for a new one.
    """
    kind = "adapter" if tuned.config.is_adapter else "model"
    final, partial = run / f"{kind}-{step}", run / f".{kind}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    save(tuned, base_name, partial)
    shutil.rmtree(final, ignore_errors=True)
    settle(partial, final)
    for other in run.glob(f"{kind}-*"):
        if other != final:
            shutil.rmtree(other, ignore_errors=True)
    return final.name


def adamw(tuned: Tuned, device: torch.device) -> Any:
    """AdamW; weight decay on matrices alone."""
    config, named = tuned.config, tuned.trained
    groups = [
        {"params": [p for p in named.values() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in named.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    kept = [group for group in groups if group["params"]]
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(kept, lr=config.learning_rate, betas=(0.9, 0.98), fused=fused)
