"""A run's optimiser, schedule and number format, and the folders that it leaves."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from lmlab.training.checkpoints import Place
from lmlab.training.config import FinetuneConfig
from lmlab.training.counting import SNAPSHOTS
from lmlab.training.events import Finished, Reason
from lmlab.training.methods import Tuned, save
from lmlab.training.whole import whole_folder

MOST = 8  # snapshots of a run


def precision_of(config: FinetuneConfig, device: torch.device) -> str:
    """Number format of the computation."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def loss_scale(precision: str) -> float:
    """What the loss is multiplied by: gradients as small as usual are 0 in float16."""
    return 1024.0 if precision == "float16" else 1.0


def unscale(trained: Iterable[Tensor], precision: str) -> None:
    """Take that out of the gradients again."""
    if (scale := loss_scale(precision)) != 1:
        for parameter in trained:
            if parameter.grad is not None:
                parameter.grad.div_(scale)


def write(tuned: Tuned, base_name: str, run: Path, step: int) -> str:
    """Write what was learned by a step, whole or not at all, and drop what an earlier step left;
    the step is in its name, so that nobody who holds a path takes an old model for a new one.
    """
    kind = "adapter" if tuned.config.is_adapter else "model"
    final, partial = run / f"{kind}-{step}", run / f".{kind}.partial"
    with whole_folder(final, partial):
        save(tuned, base_name, partial)
    for other in run.glob(f"{kind}-*"):
        if other != final:
            shutil.rmtree(other, ignore_errors=True)
    return final.name


def adamw(tuned: Tuned, device: torch.device) -> Any:
    """AdamW; weight decay on matrices alone."""
    config, named = tuned.config, tuned.trained
    parts = ([p for p in named.values() if (p.ndim > 1) == matrix] for matrix in (True, False))
    decays = zip(parts, (config.weight_decay, 0.0), strict=True)
    groups = [{"params": some, "weight_decay": decay} for some, decay in decays if some]
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=fused)


def scheduled(optimiser: Any, config: FinetuneConfig) -> Any:
    """The learning rate by step, of transformers; a warm-up's first step has a rate above 0.

    A rise in W steps gives the first 1/W of the highest rate and the W-th all of it: step s has
    what transformers gives step s + 1 of a run that is one step longer.
    """
    rise = round(config.warmup * config.steps)
    early = 1 if rise else 0
    made = get_scheduler(
        config.schedule,
        torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate),
        num_warmup_steps=rise,
        num_training_steps=config.steps + early,
    )
    rate = made.lr_lambdas[0]
    return LambdaLR(optimiser, lambda step: rate(step + early))


def retimed(schedule: Any) -> None:
    """Set the rate of the next step anew: a run that was made longer has another one there."""
    rates = [
        base * rate(schedule.last_epoch)
        for base, rate in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
    ]
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    schedule._last_lr = rates


def ended(reason: Reason, message: str, place: Place, path: str) -> Finished:
    """The last event of a run that ends where it stands; ``path``: of what it learned."""
    first, last = place.first, place.last
    return Finished(
        reason=reason,
        step=place.step,
        message=message,
        train_loss=fmean(place.losses) if place.losses else None,
        valid_loss=last.get("valid_loss"),
        valid_before=first.get("valid_loss"),
        probe_loss=last.get("probe_loss"),
        probe_before=first.get("probe_loss"),
        accuracy=last.get("accuracy"),
        accuracy_before=first.get("accuracy"),
        seconds=place.seconds,
        path=path,
        bits=last.get("bits"),
    )


def snapshots(n_bytes: int) -> int:
    """How many of what is learned, of a size, are kept for looking back; none where less than two
    would fit.

    >>> snapshots(400_000), snapshots(20_000_000), snapshots(90_000_000)
    (8, 5, 0)
    """
    fit = min(MOST, SNAPSHOTS // max(1, n_bytes))
    return fit if fit > 1 else 0


def look_back(tuned: Tuned, base_name: str, run: Path, step: int) -> None:
    """Keep what is learned by a step, where that is due, evenly over the run, in the format of what
    is learned in the end; no run goes on from it. One that is there already stays, weights that are
    not numbers are not kept, and nor is anything where there is no room.
    """
    config = tuned.config
    kept = snapshots(4 * (tuned.trainable if config.is_adapter else tuned.total))
    # The last step's is what was learned anyway.
    if not kept or not 0 < step < config.steps or step % -(-config.steps // kept):
        return
    final, partial = run / "snapshots" / str(step), run / "snapshots" / ".partial"
    if final.exists() or not all(bool(torch.isfinite(p).all()) for p in tuned.trained.values()):
        return
    # The run matters more than looking back on it.
    with suppress(OSError), whole_folder(final, partial):
        save(tuned, base_name, partial, tokenizer=False)
