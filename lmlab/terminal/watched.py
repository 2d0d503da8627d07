"""How far a long command is, on standard error where that is a terminal; else all is quiet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmlab.models.model import LM
    from lmlab.models.refs import ModelRef

Tell = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


@contextmanager
def counting(unit: str, *, apart: bool = False) -> Iterator[Tell]:
    """A bar with speed and time left, which goes when all is done.

    Args:
        unit: what is counted, in the plural.
        apart: whether results are written meanwhile: then only where they go elsewhere.
    """
    import sys

    from rich import progress

    class Speed(progress.ProgressColumn):
        def render(self, task: progress.Task) -> str:
            return f"{task.speed:,.3g} {unit}/s" if task.speed else ""

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Speed(),
        progress.TimeRemainingColumn(),
    )
    with _bar(columns, hidden=apart and sys.stdout.isatty()) as bar:
        task, last = bar.add_task("", total=None), ""

        def tell(what: str, done: int, total: int) -> None:
            nonlocal last
            if what != last:  # its speed is its own
                bar.reset(task, description=what, total=total)
            last = what
            bar.update(task, completed=done, total=total)

        yield tell


@contextmanager
def waiting(first: str) -> Iterator[Callable[[str], None]]:
    """What is being done, and for how long by now; gives what changes it."""
    from rich import progress

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.TimeElapsedColumn(),
    )
    with _bar(columns) as bar:
        task = bar.add_task(first, total=None)
        yield lambda message: bar.update(task, description=message)


@contextmanager
def borrowed(refs: "Sequence[ModelRef | str]") -> "Iterator[list[LM]]":
    """Models of this machine or the Hub, loaded; what is done meanwhile is told."""
    from lmlab.runs.model_store import ModelStore

    with ExitStack() as held:
        with waiting("Loading …") as say:
            lms = held.enter_context(ModelStore().borrow_all(refs, say))
        yield lms


def _bar(columns: Sequence[Any], *, hidden: bool = False) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=hidden or not console.is_terminal,
        # What goes to standard output goes there.
        redirect_stdout=False,
    )
