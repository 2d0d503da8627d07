"""A fine-tuning run in a terminal: a progress bar on the way, a table or JSON at the end."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lmlab.errors import InputError
from lmlab.runs.store import RunFolder
from lmlab.terminal.quiet import write_json
from lmlab.training.events import Evaluated, Finished, Started, TrainStep


def shown(events: Iterator[Any], steps: int, leads: bool) -> Iterator[Any]:
    """The same events, with a progress bar on standard error where that is a terminal."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = [
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}"),
    ]
    silent = not (leads and console.is_terminal)
    with progress.Progress(*columns, console=console, disable=silent) as bar:
        task, loss, valid = bar.add_task("", total=steps), "", ""
        for event in events:
            if isinstance(event, TrainStep):
                loss = f"loss {event.loss:.3f}"
                bar.update(task, completed=event.step, description=f"{loss}  {valid}")
            elif isinstance(event, Evaluated) and event.valid_loss is not None:
                valid = f"held out {event.valid_loss:.3f}"
            elif isinstance(event, Started) and leads:
                for warning in event.warnings:
                    print(f"lmlab: {warning}", file=sys.stderr)
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
    figures = (
        ("training loss, nats a token", None, finished.train_loss),
        ("held-out loss", finished.valid_before, finished.valid_loss),
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
