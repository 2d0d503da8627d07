"""Which page a queued run belongs to, and what is left by pages that died. Knows no torch."""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lmlab.errors import LabError
from lmlab.runs import locks
from lmlab.runs.folder import is_process
from lmlab.runs.store import PAGES, RunFolder


class Page:
    """One page's name beside its runs; as long as it lives it holds a lock of that name."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self._held = ExitStack()

    def settle(self, root: Path) -> None:
        """Be known to other pages on the same runs.

        Raises:
            OSError: the disk is full, for instance.
        """
        path = _lock(root, self.name)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            self._held.enter_context(locks.hold(path))

    def close(self) -> None:
        """Be gone."""
        self._held.close()


def is_left(folder: RunFolder, state: Mapping[str, Any]) -> bool:
    """Whether a run waited or went on when its page died; nobody trains it now."""
    if page := state.get("page"):
        if locks.held(_lock(folder.path.parent, str(page))):
            return False
    elif is_process(state.get("server"), state.get("server_born")) or "server" not in state:
        return False  # it never had a page, or one of an earlier version that lives
    if state.get("state") == "queued":
        return True
    return state.get("state") == "running" and not state.get("recovered")


def created(folder: RunFolder) -> float:
    """When a run was asked for, in seconds since 1970; 0 where that cannot be read."""
    try:
        return folder.spec.created
    except LabError:
        return 0.0


def _lock(root: Path, name: str) -> Path:
    return root / PAGES / f"{Path(name).name[:40]}.lock"
