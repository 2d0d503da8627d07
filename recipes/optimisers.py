"""Muon for the matrices, AdamW for the rest, and the trapezoidal schedule they share."""

from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from recipes.config import TrainConfig


def optimisers(model: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """Muon on every matrix of the layers; AdamW on embeddings and norms, these without decay."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inner else rest).append(parameter)
    return [
        Muon(
            matrices,
            lr=config.muon_lr,
            momentum=0.95,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        AdamW(rest, lr=config.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def schedules(opts: list[Optimizer], config: TrainConfig) -> list[LambdaLR]:
    """The same factor for all of them."""
    return [LambdaLR(opt, lambda step: trapezoid(step, config)) for opt in opts]


def trapezoid(step: int, config: TrainConfig) -> float:
    """Up during the warm-up, flat, then down to nothing in a straight line.

    >>> config = TrainConfig(tokens=409_600, warmup=0.1, decay=0.5)
    >>> [round(trapezoid(step, config), 2) for step in (0, 9, 50, 75, 100)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    up = max(1, round(config.steps * config.warmup))
    down = max(1, round(config.steps * config.decay))
    return max(0.0, min(1.0, (step + 1) / up, (config.steps - step) / down))


def gather_state(opts: list[Optimizer], plans: list[LambdaLR]) -> dict[str, Any]:
    """What a checkpoint holds of them."""
    return {"opts": [o.state_dict() for o in opts], "plans": [p.state_dict() for p in plans]}


def restore_state(state: dict[str, Any], opts: list[Optimizer], plans: list[LambdaLR]) -> None:
    """Put back what ``gather_state`` took."""
    for opt, saved in zip(opts, state["opts"], strict=True):
        opt.load_state_dict(saved)
    for plan, saved in zip(plans, state["plans"], strict=True):
        plan.load_state_dict(saved)


def clip(model: nn.Module, limit: float) -> float:
    """Scale the gradient down to at most ``limit``; its norm before."""
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), limit))
