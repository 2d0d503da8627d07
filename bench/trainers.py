"""What is trained in a benchmark of fine-tuning, and the libraries' own trainers at it."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.settings import Settings
from lmlab.training.batches import MASKED, steps
from lmlab.training.config import FinetuneConfig
from lmlab.training.methods import Tuned, prepare
from lmlab.training.rows import Example

BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Case:
    """What is trained on what.

    Attributes:
        name: as shown.
        path: of the model.
        config: steps, batch size and method.
        rows: full batches of them, in the order of the run.
        clock: tells the time; that of the processor where the machine is busy with other things.
        device: ``cpu`` in float32, or ``cuda``, where everybody computes in bfloat16 over weights
            in float32.
    """

    name: str
    path: Path
    config: FinetuneConfig
    rows: tuple[Example, ...]
    clock: Callable[[], float] = time.perf_counter
    device: str = "cpu"

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device == "cuda"

    def tuned(self) -> Tuned:
        """A fresh model; the same start for everybody."""
        weights = load(inspect(self.path, self.name), Settings(device=self.device, dtype="float32"))
        return prepare(weights.model, weights.vocabulary, self.name, self.config)

    def in_order(self) -> list[Example]:
        """The rows as lmlab's run reads them, step after step."""
        config = self.config
        found = steps(self.rows, config.batch_size, 1, config.seed)
        return [row for _, batches in zip(range(config.steps), found, strict=False)
                for rows in batches for row in rows]  # fmt: skip


Run = tuple[list[float], list[float]]


class _Watch(TrainerCallback):
    """Notes when steps end, and their losses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.losses: list[float] = []
        self.stamps = [self.clock()]

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.stamps.append(self.clock())

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        logs = more.get("logs")
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def _in_order(kind: type) -> Any:
    """A trainer that reads its rows as they come."""

    class InOrder(kind):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    return InOrder


def _options(case: Case, folder: str) -> dict[str, Any]:
    config = case.config
    return {
        "output_dir": folder,
        "max_steps": config.steps,
        "per_device_train_batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": round(config.warmup * config.steps),
        "adam_beta2": BETAS[1],
        "weight_decay": 0.0,
        "max_grad_norm": config.clip,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": not case.on_gpu,
        "bf16": case.on_gpu,
        "dataloader_pin_memory": case.on_gpu,
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }


def trainer(case: Case) -> Run:
    """transformers' own."""
    watch = _Watch(case.clock)
    with tempfile.TemporaryDirectory() as folder:
        made = _in_order(Trainer)(
            model=case.tuned().model,
            args=TrainingArguments(**_options(case, folder)),
            train_dataset=[item(row) for row in case.in_order()],
            data_collator=padded,
            callbacks=[watch],
        )
        _quietly(made)
    return watch.losses, watch.stamps


def sft(case: Case) -> Run:
    """TRL's."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    watch, tuned = _Watch(case.clock), case.tuned()
    tokenizer = tuned.vocabulary.tokenizer
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    columns = [
        {
            "input_ids": list(row.ids),
            "completion_mask": [0] * row.loss_from + [1] * (len(row.ids) - row.loss_from),
        }
        for row in case.in_order()
    ]
    with tempfile.TemporaryDirectory() as folder:
        options = _options(case, folder) | {
            "remove_unused_columns": True,
            "completion_only_loss": True,
            "max_length": None,
            "gradient_checkpointing": False,
        }
        made = _in_order(SFTTrainer)(
            model=tuned.model,
            args=SFTConfig(**options),
            train_dataset=Dataset.from_list(columns),
            processing_class=tokenizer,
            callbacks=[watch],
        )
        _quietly(made)
    return watch.losses, watch.stamps


def _quietly(trainer: Any) -> None:
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.train()


def item(row: Example) -> dict[str, list[int]]:
    """A row with its labels."""
    labels = [MASKED] * row.loss_from + list(row.ids[row.loss_from :])
    return {"input_ids": list(row.ids), "labels": labels, "attention_mask": [1] * len(row.ids)}


def padded(items: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Rows as one batch, filled up to the longest."""
    width = max(len(item["input_ids"]) for item in items)
    blanks = {"input_ids": 0, "labels": MASKED, "attention_mask": 0}
    return {
        key: torch.tensor([item[key] + [blank] * (width - len(item[key])) for item in items])
        for key, blank in blanks.items()
    }
