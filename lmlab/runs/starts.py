"""A run that fails before it has learned anything leaves no folder in the way of the next try."""

from collections.abc import Iterator

from lmlab.errors import LabError
from lmlab.runs.store import RunFolder, Runs
from lmlab.training.events import TrainEvent, TrainStep


def tried(folder: RunFolder, events: Iterator[TrainEvent]) -> Iterator[TrainEvent]:
    """The events of a new run; its folder is removed where it fails before its first step.

    Raises:
        LabError: what the events raise.
    """
    begun = False
    try:
        for event in events:
            begun = begun or isinstance(event, TrainStep)
            yield event
    except LabError:
        if not begun:
            Runs(folder.path.parent).delete(folder)
        raise
