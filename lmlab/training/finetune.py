"""The training iterator, by hand: each optimiser step is an event, and so is what is measured on
the way.

A step's rows, dropout and learning rate follow from the seed and the step's number alone, so that a
run that was killed goes on from its last checkpoint as if nothing had happened.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmlab.training.events import HaltedError, Reason, TrainEvent
from lmlab.training.examples import Material
from lmlab.training.loop import Loop
from lmlab.training.methods import Tuned
from lmlab.training.pacing import Stop, due, due_after
from lmlab.training.sizing import Budget


def finetune(
    tuned: Tuned,
    material: Material,
    *,
    out: Path | None = None,
    base_name: str = "",
    should_stop: Stop = lambda: None,
    accelerator: Any = None,
    budget: Budget | None = None,
) -> Iterator[TrainEvent]:
    """Train; yields events, the last of them ``Finished``.

    Args:
        tuned: the model from ``methods.prepare``, which is changed.
        out: the run's folder, which is gone on from if it holds a checkpoint; None writes nothing.
        base_name: what an adapter calls its base.
        should_stop: asked between the parts of a step; a reason ends the run.
        accelerator: of accelerate, where several processes share the work.
        budget: of what is measured; None takes the usual one.

    Raises:
        InputError: fewer rows in a batch than processes.
        OSError: the disk is full, for instance; the last good checkpoint is kept.
    """
    return run(Loop(tuned, material, out, should_stop, accelerator, base_name, budget or Budget()))


def run(loop: Loop) -> Iterator[TrainEvent]:
    """All steps of a loop that are left; yields events, the last of them ``Finished``."""
    reason: Reason = "done"
    message = ""
    yield loop.started()
    try:
        yield from _steps(loop)
    except HaltedError as halted:
        reason, message = halted.reason, halted.message
    yield loop.finished(reason, message)


def _steps(loop: Loop) -> Iterator[TrainEvent]:
    """Each step, and what follows it. Raises HaltedError: the run ends before its last step."""
    place, config = loop.place, loop.config
    if not place.first:
        yield from loop.opening()
        place.owed = due_after(place.step, config)
    yield from _measured(loop)
    for rows in loop.batches():
        try:
            yield loop.step(rows)
        except HaltedError as halted:
            if loop.out and place.step > loop.first and halted.reason != "nan":
                yield loop.saved()
            raise
        loop.look_back()
        place.owed = due_after(place.step, config)
        try:
            yield from _measured(loop)
        except HaltedError:
            if loop.out:
                yield loop.saved()
            raise
        last = place.step == config.steps
        if loop.out and (last or due(place.step, config.save_every) or loop.pace.saves):
            yield loop.saved()


def _measured(loop: Loop) -> Iterator[TrainEvent]:
    """Measure what is owed. That may take minutes: a checkpoint that falls due is written first,
    and again with what was found. Raises HaltedError: the run is to end, its last step not made.
    """
    place, owed = loop.place, bool(loop.place.owed)
    # The checkpoint that a run went on from lacks it too.
    anew = owed and 0 < place.step == loop.first
    if loop.out and owed and place.step > loop.first and loop.pace.saves:
        yield loop.saved()
        anew = True
    try:
        yield from loop.measured()
    except HaltedError:
        if place.step < loop.config.steps:
            raise
        return
    if anew:
        yield loop.saved()
    loop.ask()
