"""Muon for the matrices, AdamW for the rest, and the trapezoidal schedule they share."""

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

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


def set_rates(opts: list[Optimizer], config: TrainConfig, step: int) -> None:
    """The learning rates of that step: the same factor for all of them."""
    for opt, highest in zip(opts, (config.muon_lr, config.adam_lr), strict=True):
        for group in opt.param_groups:
            group["lr"] = highest * trapezoid(step, config)


def trapezoid(step: int, config: TrainConfig) -> float:
    """Up during the rise, flat, then down to nothing in a straight line, and a second time from
    less high.

    >>> config = TrainConfig(warmup=10, fall_from=60, fall=40, again=20, again_rate=0.5)
    >>> [round(trapezoid(step, config), 2) for step in (0, 9, 50, 60, 80, 100, 105, 110, 120)]
    [0.1, 1.0, 1.0, 1.0, 0.5, 0.05, 0.3, 0.25, 0.0]
    """
    up = (step + 1) / max(1, config.warmup)
    if config.end is None or config.fall_from is None:
        return min(1.0, up)
    fallen = config.fall_from + config.fall
    if step < fallen:
        return max(0.0, min(1.0, up, (fallen - step) / max(1, config.fall)))
    up = (step - fallen + 1) / max(1, config.warmup)
    return config.again_rate * max(0.0, min(up, (config.end - step) / max(1, config.again)))


def clip(model: nn.Module, limit: float) -> float:
    """Scale the gradient down to at most ``limit``; its norm before."""
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), limit))
