"""A host ends a page with SIGTERM, which by itself would end it without a word, or, where the page
is the first process of a container, not at all."""

import signal
import threading
from types import FrameType


def end_politely() -> None:
    """Have SIGTERM end the page as Ctrl-C does: it closes, and runs under way save first."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once: a second one ends it at once.
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
