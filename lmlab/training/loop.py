"""One run's optimiser, schedule and place: a step, and what is measured and written after it."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmlab.errors import InputError
from lmlab.training import checkpoints, outcomes
from lmlab.training.batches import collate, keeps, steps, summed_loss
from lmlab.training.checkpoints import Place
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import (
    Evaluated,
    Finished,
    HaltedError,
    Reason,
    Saved,
    Started,
    TrainEvent,
    TrainStep,
)
from lmlab.training.examples import Material, warnings_of
from lmlab.training.measuring import Measures, autocast_of
from lmlab.training.methods import Tuned
from lmlab.training.pacing import GRACE, Pace, Stop
from lmlab.training.rows import Example
from lmlab.training.seeded import seeded
from lmlab.training.sizing import Budget
from lmlab.training.speeds import sized

RECENT = 20  # steps whose mean is the run's training loss


@dataclass
class Loop:
    """One run's optimiser, schedule and place."""

    tuned: Tuned
    material: Material
    out: Path | None
    should_stop: Stop
    accelerator: Any
    base_name: str = ""  # what an adapter calls its base
    budget: Budget = field(default_factory=Budget)  # of measuring
    place: Place = field(default_factory=Place, init=False)

    def __post_init__(self) -> None:
        config, tuned = self.config, self.tuned
        self.processes = self.accelerator.num_processes if self.accelerator else 1
        if config.batch_size < self.processes:
            raise InputError(
                f"{self.processes} processes cannot share {config.batch_size} rows.",
                "Take larger batches.",
            )
        self.device: torch.device = tuned.base.device
        self.keep = keeps(tuned.base)
        self.optimiser: Any = outcomes.adamw(tuned, self.device)
        self.schedule: Any = outcomes.scheduled(self.optimiser, config)
        self.precision = outcomes.precision_of(config, self.device)
        self.autocast = autocast_of(self.device, self.precision)
        self.pace = Pace(self.should_stop, self.processes == 1, config.save_seconds)
        found, self.notes = checkpoints.sound(self.out) if self.out else (None, [])
        if found:
            self.place = checkpoints.restore(found, tuned.trained, self.optimiser, self.schedule)
            outcomes.retimed(self.schedule)
        self.measures = replace(self.measuring(), size=self.place.size)
        self.first, self.batch_seconds = self.place.step, 0.0
        self.model: Any = tuned.model
        if self.accelerator:
            self.model, self.optimiser = self.accelerator.prepare(self.model, self.optimiser)

    @property
    def config(self) -> FinetuneConfig:
        """The run's settings."""
        return self.tuned.config

    def measuring(self) -> Measures:
        """What is measured on the way."""
        read, ask = self.material, self.pace.ask_measuring
        return Measures(self.tuned, read.valid, read.probe, read.template, self.autocast, ask)

    def opening(self) -> Iterator[TrainEvent]:
        """What a run says once before anything is measured: how much of it."""
        if self.leads and (self.material.valid or self.material.probe):
            found = sized(self.measures, self.material.train, self.budget)
            self.place.size, self.measures = found.used, replace(self.measures, size=found.used)
            yield found

    @property
    def leads(self) -> bool:
        """Whether this process measures and writes."""
        return not self.accelerator or bool(self.accelerator.is_main_process)

    def started(self) -> Started:
        """What there is to say before the first step."""
        config, rows = self.config, self.material.train
        return Started(
            run=self.out.name if self.out else "",
            method=config.method,
            trainable=self.tuned.trainable,
            total=self.tuned.total,
            rows=len(rows),
            valid_rows=len(self.material.valid),
            tokens=sum(row.n_loss for row in rows),
            steps=config.steps,
            epochs=config.steps * config.accumulation * config.batch_size / len(rows),
            device=self.device.type,
            precision=self.precision,
            processes=self.processes,
            first=self.first,
            warnings=(
                *self.notes,
                *self.material.notes,
                *warnings_of(self.tuned.vocabulary, rows, config),
            ),
        )

    def batches(self) -> Iterator[list[list[Example]]]:
        """The batches of each step that is left."""
        config, first = self.config, self.first
        found = steps(
            self.material.train, config.batch_size, config.accumulation, config.seed, first
        )
        return (rows for _, rows in zip(range(first, config.steps), found, strict=False))

    def step(self, batches: list[list[Example]]) -> TrainStep:
        """One optimiser step. Raises HaltedError, with nothing changed: somebody wants the run to
        end, or not-a-number comes up.
        """
        began = time.perf_counter()
        config, trained = self.config, list(self.tuned.trained.values())
        self.model.train()
        n_loss = sum(row.n_loss for rows in batches for row in rows)
        devices = [self.device] if self.device.type == "cuda" else []
        # Each step's dropout has a seed of its own, so that it does not matter what came before.
        with seeded((config.seed * 1_000_003 + self.place.step) * 31 + self._rank, devices):
            try:
                loss = sum(
                    self._backward(rows, n_loss, last=i == len(batches) - 1)
                    for i, rows in enumerate(batches)
                )
            except HaltedError:
                self.optimiser.zero_grad(set_to_none=True)
                raise
        outcomes.unscale(trained, self.precision)
        clip = config.clip or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(trained, clip))
        loss = self._shared(loss)
        if not math.isfinite(loss) or not math.isfinite(norm):
            self.optimiser.zero_grad(set_to_none=True)
            raise HaltedError("nan", f"Not-a-number came up in step {self.place.step + 1}.")
        rate = float(self.schedule.get_last_lr()[0])
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - began
        self.batch_seconds = seconds / len(batches)
        place = self.place
        place.step += 1
        place.seconds += seconds
        place.losses = [*place.losses[1 - RECENT :], loss]
        tokens = sum(len(row.ids) for rows in batches for row in rows)
        return TrainStep(place.step, loss, rate, norm, tokens, seconds)

    def _backward(self, rows: list[Example], n_loss: int, last: bool) -> float:
        """Add one batch's gradients; its part of the step's mean loss."""
        mine = rows[self._rank :: self.processes]
        # A process without rows goes along with one that weighs nothing, for the others' sake.
        weight = self.processes if mine else 0
        batch = collate(mine or rows[:1], self.device)
        waiting: AbstractContextManager[Any] = nullcontext()
        if self.accelerator and not last:
            waiting = self.accelerator.no_sync(self.model)
        with waiting, self.autocast():
            loss = summed_loss(self.model, batch, self.tuned.config.soft, self.keep)
            # The processes' gradients are averaged, so that each counts its own that many times.
            part = loss * (weight / n_loss * outcomes.loss_scale(self.precision))
            self.pace.ask()
            part.backward()  # type: ignore[no-untyped-call]
        if not last:
            self.pace.ask()
        return float(loss.detach()) / n_loss if mine else 0.0

    def measured(self) -> Iterator[TrainEvent]:
        """Evaluation and samples, as far as they are owed. Raises HaltedError: somebody wants the
        run to end; what was not measured stays owed.
        """
        place, began = self.place, time.perf_counter()
        left = list(place.owed)
        try:
            for what in left:
                if self.leads and what == "evaluation":
                    yield self._evaluate(place.step)
                elif self.leads:
                    # All or none, so that none is written twice.
                    yield from list(self.measures.samples(place.step))
                place.owed.remove(what)
        finally:
            place.seconds += time.perf_counter() - began
        if left and self.accelerator:
            self.accelerator.wait_for_everyone()

    def _evaluate(self, step: int) -> Evaluated:
        event = self.measures.evaluate(step)
        figures = asdict(event)
        kept = {key: figures[key] for key in ("valid_loss", "probe_loss", "accuracy", "bits")}
        # With its step: a run may end before it is measured again.
        self.place.last = {**kept, "step": float(step)}
        self.place.first = self.place.first or self.place.last
        return event

    def ask(self) -> None:
        """Between steps; every process gets the same answer. Raises HaltedError: somebody wants the
        run to end.
        """
        if self.place.step >= self.config.steps:
            return
        reason = self.should_stop()
        if self.processes > 1:
            from accelerate.utils import broadcast_object_list

            reason = broadcast_object_list([reason])[0]
        if reason:
            raise HaltedError(reason)

    def saved(self) -> Saved:
        """Write a checkpoint. Raises HaltedError: a trained weight is not a number."""
        began, path = time.monotonic(), f"{checkpoints.FOLDER}/{self.place.step}"
        if self.out and self.leads:
            inner = getattr(self.optimiser, "optimizer", self.optimiser)
            checkpoints.save(self.out, self.tuned.trained, inner, self.schedule, self.place)
        self.pace.saved(began)
        return Saved(self.place.step, path)

    def look_back(self) -> None:
        """Keep what is learned by now, for looking back on the run, where that is due."""
        if self.out and self.leads:
            outcomes.look_back(self.tuned, self.base_name, self.out, self.place.step)

    def finished(self, reason: Reason, message: str) -> Finished:
        """Write what was learned; after not-a-number, what the last good checkpoint holds."""
        place, path = self.place, ""
        if reason == "nan":
            place.step, message = self._back(message)
            place.last = place.first
        # Written first: measuring takes its time, and a process that takes too long is ended.
        if self.out and self.leads and place.step > 0:
            path = outcomes.write(self.tuned, self.base_name, self.out, place.step)
        if self.leads and place.step > 0 and place.last.get("step") != place.step:
            message = self._measured_last(reason, message)
        return outcomes.ended(reason, message, place, path)

    def _measured_last(self, reason: Reason, message: str) -> str:
        """Measure what a run has come to; whoever stops it waits for a moment of that alone, and
        for no batch that would take longer."""
        stopped = reason in ("stopped", "done")
        self.pace.bound(GRACE - self.batch_seconds if stopped else math.inf)
        try:
            self._evaluate(self.place.step)
        except HaltedError:
            since = self.place.last.get("step")
            told = "nothing was measured"
            if since is not None:
                told = f"the figures are of step {since:.0f}"
            message = f"{message} The run ended before it was measured: {told}.".strip()
        return message

    def _back(self, message: str) -> tuple[int, str]:
        """Put the last good weights back, where there are any: their step, and what to say."""
        found = checkpoints.sound(self.out)[0] if self.out else None
        hint = "Take a lower learning rate."
        if not found:
            return 0, f"{message} No checkpoint had been written before. {hint}"
        checkpoints.restore_weights(found, self.tuned.trained)
        return int(found.name), f"{message} The checkpoint of step {found.name} is kept. {hint}"

    @property
    def _rank(self) -> int:
        return int(self.accelerator.process_index) if self.accelerator else 0

    def _shared(self, loss: float) -> float:
        """The sum of the processes' parts of the loss."""
        if self.processes == 1:
            return loss
        part: Tensor = torch.tensor(loss, device=self.device)
        return float(self.accelerator.reduce(part, "sum"))
