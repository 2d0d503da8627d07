"""When a run asks whether to end, and when it measures and writes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lmlab.training.config import FinetuneConfig
from lmlab.training.events import HaltedError, Reason

GRACE = 1.0  # seconds in which a run that is stopped is still measured
SHARE = 10  # of the time between checkpoints, one part goes into writing one
Stop = Callable[[], Reason | None]


def due(step: int, every: int) -> bool:
    """Whether something that happens every so many steps happens after this one; 0 is never."""
    return every > 0 and step > 0 and step % every == 0


def due_after(step: int, config: FinetuneConfig) -> list[str]:
    """What is to be measured after a step."""
    always = step in (0, config.steps)
    every = {"evaluation": config.evaluate_every, "samples": config.sample_every}
    return [what for what, n in every.items() if always or due(step, n)]


@dataclass
class Pace:
    """Who is asked whether to go on, and the time since the last checkpoint."""

    should_stop: Stop  # gives a reason to end
    alone: bool  # several processes go through a step together, and are asked after it alone
    save_seconds: float  # of the config
    _until: float | None = field(default=None, init=False)
    _saved_at: float = field(default=0.0, init=False)
    _saving: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._saved_at = time.monotonic()

    def ask(self) -> None:
        """Between the parts of a step: one may take minutes. Raises HaltedError: somebody wants the
        run to end.
        """
        if self.alone and (reason := self.should_stop()):
            raise HaltedError(reason)

    def ask_measuring(self) -> None:
        """The same between rows that are measured; a limit of time waits for them, since what goes
        on from there would begin with them again.
        """
        if self._until is not None:
            if time.monotonic() > self._until:
                raise HaltedError("stopped")
        elif self.alone and self.should_stop() == "stopped":
            raise HaltedError("stopped")

    def bound(self, seconds: float) -> None:
        """From now on, have measuring ask nobody but the clock."""
        self._until = time.monotonic() + seconds

    @property
    def saves(self) -> bool:
        """Whether a checkpoint is due by time: a kill is to cost little, and so is writing."""
        if not self.save_seconds:
            return False
        since = time.monotonic() - self._saved_at
        return since >= max(self.save_seconds, SHARE * self._saving)

    def saved(self, began: float) -> None:
        """Note that a checkpoint was written, from then (of ``time.monotonic``) until now."""
        self._saved_at = time.monotonic()
        self._saving = self._saved_at - began
