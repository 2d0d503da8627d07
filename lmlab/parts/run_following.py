"""What a page asks of runs in the background: who asks, and what is new."""

import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from lmlab.errors import InputError, LabError
from lmlab.parts import run_views
from lmlab.parts.stream import waits_in
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.store import RunInfo

WRITING = waits_in("tuning", 4)
_OWNER = re.compile(r"[0-9a-f]{32}")
log = logging.getLogger("lmlab")


def known(owner: Any) -> str:
    """The visitor's name, as a browser makes it.

    Raises:
        InputError: it is no such name.
    """
    if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
        raise InputError(
            "This browser has no name yet, so its runs would be lost.", "Load the page anew."
        )
    return owner


def saved(runs: TuningRuns, owner: str, run: str) -> RunInfo:
    """A run that has learned something.

    Raises:
        InputError: there is none, or nothing of it has been saved.
    """
    if not run:
        raise InputError("No run is shown.", "Start one, or choose one below.")
    info = runs.run(known(owner), run)
    if not info.model_name:
        raise InputError("This run has saved nothing yet.", "Wait for it, or let it run longer.")
    return info


def followed(run: str) -> str:
    """What has the monitor follow a run, from its beginning."""
    return json.dumps({"run": run, "at": time.time()})


def follower(runs: TuningRuns) -> Callable[[Any], Any]:
    """What a monitor asks for every half second; never raises, as there is nobody to tell."""

    def follow(asked: Any) -> dict[str, Any]:
        try:
            return _news(runs, asked)
        except LabError as error:
            return {"run": "", "error": error.message}
        except Exception:
            log.exception("A run could not be followed")
            return {"run": "", "error": "Something went wrong on the server."}

    follow.__name__ = "follow"
    return follow


def _news(runs: TuningRuns, asked: Any) -> dict[str, Any]:
    asked = asked if isinstance(asked, dict) else {}
    owner, name, have = known(asked.get("owner")), asked.get("run"), asked.get("have")
    have = have if isinstance(have, int) and have >= 0 else 0
    info: RunInfo | None = None
    if isinstance(name, str) and re.fullmatch(r"[\w-]{1,64}", name):
        with suppress(InputError):  # it may have been deleted
            info = runs.run(owner, name)
    if info is None:
        info, have = latest(runs.runs(owner)), 0
    if info is None:
        return {"run": ""}
    events = runs.read(owner, info.id, have)
    waiting = [one.id for one in runs.runs(owner) if not one.is_over] if info.is_over else []
    return {
        "run": info.id,
        "have": have + len(events),
        "events": run_views.news(events),
        "state": shown_state(info),
        "title": info.title,
        "said": info.message,
        "place": -1 if info.place is None else info.place,
        "next": waiting[-1] if waiting else "",
    }


def latest(runs: Sequence[RunInfo]) -> RunInfo | None:
    """The run, of some from newest to oldest, that a visitor who comes back wants to see: what goes
    on, else the newest."""
    going = [info for info in runs if not info.is_over]
    return going[-1] if going else next(iter(runs), None)


def shown_state(info: RunInfo) -> str:
    """A run's state for the page's script."""
    if info.state in ("done", "stopped") and info.reason in ("limit", "nan"):
        return info.reason
    return info.state
