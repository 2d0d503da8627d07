"""A fine-tuning run in a terminal: a progress bar on the way, a table or JSON at the end."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmlab.errors import InputError
from lmlab.runs.store import RunFolder
from lmlab.terminal.quiet import write_json
from lmlab.training.events import Evaluated, Finished, Sized, Started, TrainEvent, TrainStep

RECENT = 20  # steps whose speed is the run's


@dataclass
class Line:
    """What stands beside a run's bar."""

    steps: int
    size: Sized | None = None
    loss: str = ""
    valid: str = ""
    recent: deque[TrainStep] = field(default_factory=lambda: deque(maxlen=RECENT))

    def take(self, event: TrainEvent) -> str:
        """The line after an event."""
        match event:
            case Started():
                return "measuring how fast this machine is"
            case Sized():
                self.size = event
                said = event.used.told(event.whole)
                return f"measuring {said}: about {event.used.seconds:.0f} s"
            case TrainStep():
                self.loss = f"loss {event.loss:.3f}"
                self.recent.append(event)
            case Evaluated(valid_loss=float(loss)):
                self.valid = f"held out {loss:.3f}"
        if not self.recent:
            return self.valid
        seconds = sum(step.seconds for step in self.recent)
        speed = sum(step.tokens for step in self.recent) / max(seconds, 1e-9)
        left = clock(self.left(seconds / len(self.recent)))
        return f"{self.loss}  {self.valid}  {speed:,.0f} tokens/s  {left} left"

    def left(self, step: float) -> float:
        """Seconds until the end: of the steps, and of the evaluations to come."""
        done, seconds = self.recent[-1].step, 0.0
        if self.size is not None and done < self.steps:
            every = self.size.every
            looks = -(-self.steps // every) - done // every if every else 1
            seconds = looks * self.size.used.seconds
        return (self.steps - done) * step + seconds


def clock(seconds: float) -> str:
    """
    >>> clock(5), clock(65), clock(7260)
    ('5 s', '1 min 05 s', '2 h 01 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def shown(events: Iterator[Any], steps: int, leads: bool) -> Iterator[Any]:
    """The same events, with a progress bar on standard error where that is a terminal."""
    from rich import progress
    from rich.console import Console

    console, line = Console(stderr=True), Line(steps)
    columns = [
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.description}", markup=False),
    ]
    silent = not (leads and console.is_terminal)
    with progress.Progress(*columns, console=console, disable=silent) as bar:
        task = bar.add_task("loading the model", total=steps)
        for event in events:
            bar.update(task, description=line.take(event))
            if isinstance(event, TrainStep):
                bar.update(task, completed=event.step)
            elif isinstance(event, Started | Sized) and leads:
                told = event.warnings if isinstance(event, Started) else filter(None, [event.told])
                for one in told:
                    print(f"lmlab: {one}", file=sys.stderr)
            yield event


def report(folder: RunFolder, started: Started, finished: Finished, as_json: bool) -> None:
    if as_json:
        said = {
            "run": str(folder.path),
            "steps": finished.step,
            "form": folder.spec.config.form,
            "trainable": started.trainable,
            "total": started.total,
            "train_loss": finished.train_loss,
            "valid_loss": finished.valid_loss,
            "probe_loss_before": finished.probe_before,
            "probe_loss": finished.probe_loss,
            "seconds": round(finished.seconds, 3),
            "rows": started.rows,
            "held_out": started.valid_rows,
            "measured": folder.info().measured,
            "adapter": str(folder.path / finished.path) if finished.path else None,
            "reason": finished.reason,
            "accuracy_before": finished.accuracy_before,
            "accuracy": finished.accuracy,
        }
        write_json(said)
    else:
        _print(folder, started, finished)
    if finished.reason == "nan":
        raise InputError(finished.message)


def _print(folder: RunFolder, started: Started, finished: Finished) -> None:
    info = folder.info()
    some = f", {info.measured:,} of {info.held_out:,} rows" if info.held_out else ""
    figures = (
        ("training loss, nats a token", None, finished.train_loss),
        (f"held-out loss{some}", finished.valid_before, finished.valid_loss),
        ("loss on general text", finished.probe_before, finished.probe_loss),
        ("answered right", finished.accuracy_before, finished.accuracy),
    )
    rows = [
        (name, "" if before is None else f"{before:.4f}", f"{after:.4f}")
        for name, before, after in figures
        if after is not None
    ]
    learned = f"{started.trainable:,} of {started.total:,} parameters"
    print_table(("", "before", "after"), rows, folder, finished, learned)


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    folder: RunFolder,
    finished: Finished,
    learned: str,
    more: str = "",
) -> None:
    """Figures as a table; below it how much was done, and where what was learned lies."""
    from rich.table import Table

    from lmlab.terminal.listing import plain_console

    table = Table(*head, box=None, header_style="dim")
    for row in rows:
        table.add_row(*row)
    console = plain_console()
    console.print(table)
    said = f"{more}{f'; {finished.message}' if finished.message else ''}"
    line = f"{finished.step:,} steps, {learned}, {finished.seconds:.1f} s{said}"
    console.print(line, markup=False)
    if finished.path:
        console.print(str(folder.path / finished.path), markup=False)
