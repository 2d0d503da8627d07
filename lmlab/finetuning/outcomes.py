"""What a run begins with, its optimiser and number format, and the folder that it ends with."""

import shutil
from pathlib import Path
from typing import Any

import torch

from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.methods import Tuned, save


def precision_of(config: FinetuneConfig, device: torch.device) -> str:
    """Number format of the computation."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def write(tuned: Tuned, base_name: str, run: Path) -> str:
    """Write what was learned, whole or not at all; its folder within the run."""
    name = "adapter" if tuned.config.is_adapter else "model"
    partial, old = run / f".{name}.partial", run / f".{name}.old"
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    save(tuned, base_name, partial)
    if (run / name).exists():
        (run / name).rename(old)
    partial.rename(run / name)
    shutil.rmtree(old, ignore_errors=True)
    return name


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
