"""The training iterator, by hand: each optimiser step is an event, and so is what is measured on
the way.

A step's rows, dropout and learning rate follow from the seed and the step's number alone, so that a
run that was killed goes on from its last checkpoint as if nothing had happened.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from lmlab.training.checkpoints import DamagedError
from lmlab.training.events import HaltedError, Reason, TrainEvent
from lmlab.training.examples import Material
from lmlab.training.loop import Loop
from lmlab.training.methods import Tuned
from lmlab.training.pacing import Stop, due, due_after

Ending = tuple[Reason | None, str]  # why a run ends now, if it does, and what to say


def finetune(
    tuned: Tuned,
    material: Material,
    *,
    out: Path | None = None,
    base_name: str = "",
    should_stop: Stop = lambda: None,
    accelerator: Any = None,
) -> Iterator[TrainEvent]:
    """Train; yields events, the last of them ``Finished``.

    Args:
        tuned: the model from ``methods.prepare``, which is changed.
        out: the run's folder, which is gone on from if it holds a checkpoint; None writes nothing.
        base_name: what an adapter calls its base.
        should_stop: asked between the parts of a step; a reason ends the run.
        accelerator: of accelerate, where several processes share the work.

    Raises:
        InputError: fewer rows in a batch than processes.
        OSError: the disk is full, for instance; the last good checkpoint is kept.
    """
    return run(Loop(tuned, material, out, should_stop, accelerator), base_name)


def run(loop: Loop, base_name: str = "") -> Iterator[TrainEvent]:
    """All steps of a loop that are left; yields events, the last of them ``Finished``."""
    yield loop.started()
    place = loop.place
    if not place.first:
        yield from loop.opening()
        place.owed = due_after(place.step, loop.config)
    reason, message = yield from _measured(loop)
    for rows in loop.batches():
        if reason:
            break
        try:
            event = loop.step(rows)
        except HaltedError as halted:
            reason, message = loop.told(halted.reason)
            if loop.out and place.step > loop.first:
                reason, message = yield from _saved(loop, reason, message)
            break
        if event is None:
            reason, message = "nan", f"Not-a-number came up in step {place.step + 1}."
            break
        yield event
        loop.look_back(base_name)
        place.owed = due_after(place.step, loop.config)
        reason, message = yield from _measured(loop)
        if loop.out and (reason or due(place.step, loop.config.save_every) or loop.pace.saves):
            reason, message = yield from _saved(loop, reason, message)
    yield loop.finished(reason or "done", message, base_name)


def _measured(loop: Loop) -> Generator[TrainEvent, None, Ending]:
    """Measure what is owed. That may take minutes: a checkpoint that falls due is written first,
    and again with what was found.
    """
    place, owed = loop.place, bool(loop.place.owed)
    # The checkpoint that a run went on from lacks it too.
    anew = owed and 0 < place.step == loop.first
    if loop.out and owed and place.step > loop.first and loop.pace.saves:
        reason, message = yield from _saved(loop, None, "")
        if reason:
            return reason, message
        anew = True
    try:
        yield from loop.measured()
    except HaltedError as halted:
        if place.step >= loop.config.steps:
            return "done", ""
        return loop.told(halted.reason)
    if anew:
        reason, message = yield from _saved(loop, None, "")
        if reason:
            return reason, message
    return loop.ended()


def _saved(loop: Loop, reason: Reason | None, message: str) -> Generator[TrainEvent, None, Ending]:
    """Write a checkpoint."""
    try:
        yield loop.saved()
    except DamagedError as error:
        return "nan", error.message
    return reason, message
