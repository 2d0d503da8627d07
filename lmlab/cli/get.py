"""``lmlab get``: models of the Hub, fetched ahead of a lecture."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError, LabError, ModelError

if TYPE_CHECKING:
    from lmlab.models.hub import Repo
    from lmlab.models.wanted import Part
    from lmlab.runs.model_store import ModelStore

KEPT = "What came is kept; the same command goes on with it."


@dataclass
class Wanted:
    """A model that was asked for, and what becomes of it."""

    name: str
    repos: list["Repo"] = field(default_factory=list)  # what of it is the Hub's
    folders: list[Path] = field(default_factory=list)  # where it lies
    come: int = 0  # bytes that were fetched
    seconds: float = 0.0
    error: LabError | None = None


def add_get(commands: Any) -> None:
    """Declare ``lmlab get``."""
    get = commands.add_parser(
        "get",
        help="fetch models from the Hub ahead of a lecture",
        description="Fetch models from the Hub, so that they are here without a network. Says "
        "first how large they are; goes on where it was cut or stopped with Ctrl-C; checks every "
        "file's sum. `lmlab doctor` lists models that are worth knowing.",
    )
    add = get.add_argument
    add(
        "models", nargs="+", metavar="MODEL",
        help="NAME, NAME@REVISION or NAME+ADAPTER, as everywhere",
    )  # fmt: skip
    add("--dry-run", action="store_true", help="say how large they are, and fetch nothing")
    add("--json", action="store_true", help="print one JSON object")
    get.set_defaults(run=_get)


def _get(arguments: argparse.Namespace) -> None:
    from lmlab.terminal.quiet import quiet_hub, write_json

    quiet_hub()
    from lmlab.models.hub import make_room
    from lmlab.runs.model_store import ModelStore

    store, said = ModelStore(), _silent if arguments.json else _tell
    if store.settings.offline:
        raise InputError("LMLAB_OFFLINE is set: nothing is fetched.", "Unset it first.")
    wanted = [_looked(store, name, said) for name in dict.fromkeys(arguments.models)]
    coming = {(repo.name, repo.commit): repo for one in wanted for repo in one.repos}
    make_room([*coming.values()], store.settings)
    try:
        for one in wanted if not arguments.dry_run else ():
            _fetch(store, one, said)
    except KeyboardInterrupt:
        print(f"\nlmlab: Stopped. {KEPT}", file=sys.stderr)
        raise
    if arguments.json:
        write_json({"models": [*map(_plain, wanted)]})
    _end(wanted)


def _looked(store: "ModelStore", name: str, said: Callable[[str], None]) -> Wanted:
    """A model's repositories as the Hub tells of them, and how large they are said."""
    from lmlab.models.refs import ModelRef

    wanted = Wanted(name)
    try:
        parts = store.parts(ModelRef.parse(name))
        if not parts:
            said(f"{name}: here already, and not from the Hub.")
        for part in parts:
            repo = _repo(store, part, said)
            if isinstance(repo, Path):
                wanted.folders.append(repo)
            else:
                wanted.repos.append(repo)
                said(_sizes(store, repo))
    except LabError as error:
        wanted.error = error
    return wanted


def _repo(store: "ModelStore", part: "Part", said: Callable[[str], None]) -> "Repo | Path":
    """A repository that fits here; without a network, where it lies."""
    from lmlab.models import hub

    try:
        repo = hub.look(part, store.settings, "")
    except LabError:
        raise
    except Exception:
        found = hub.cached(part, "Is there a network?")
        said(
            f"{part.name}: here already. The Hub cannot be reached to see whether it is the newest."
        )
        return found
    store.check_fits(store.need(repo), part.name)
    return repo


def _sizes(store: "ModelStore", repo: "Repo") -> str:
    from lmlab.numbers import gigabytes

    name = f"{repo.name}@{repo.revision}" if repo.revision else repo.name
    come, least = repo.size - repo.here, "" if repo.numbers else "at least "
    coming = f"{gigabytes(come)} to come" if come else "here already"
    renamed = f" The Hub calls it {repo.called} now." if repo.called != repo.name else ""
    return (
        f"{name}: {gigabytes(repo.size)}, {coming}; {least}{gigabytes(store.need(repo))} in "
        f"memory.{renamed}"
    )


def _fetch(store: "ModelStore", wanted: Wanted, said: Callable[[str], None]) -> None:
    """Have all of a model here; what hinders it is kept with it."""
    from lmlab.models.hub import bring
    from lmlab.numbers import gigabytes
    from lmlab.terminal.watched import waiting

    for repo in wanted.repos:
        had, began = repo.here, time.monotonic()
        try:
            with waiting(f"Fetching {repo.name} …") as say:
                wanted.folders.append(bring(repo, store.settings, say))
        except LabError as error:
            wanted.error = error
            return
        except Exception:
            wanted.error = ModelError(
                f"Of ‘{repo.name}’ {gigabytes(repo.here)} of {gigabytes(repo.size)} are here; the "
                "connection to the Hub broke.",
                KEPT,
            )
            return
        wanted.come += repo.here - had
        wanted.seconds += time.monotonic() - began
        said(f"{repo.name}: here, and its sums are right. {wanted.folders[-1]}")


def _plain(one: Wanted) -> dict[str, Any]:
    """A model in the JSON."""
    return {
        "model": one.name,
        "repositories": [
            {
                "name": repo.called,
                "revision": repo.revision or "main",
                "commit": repo.commit,
                "bytes": repo.size,
                "files": len(repo.files),
            }
            for repo in one.repos
        ],
        "folders": [*map(str, one.folders)],
        "fetched_bytes": one.come,
        "seconds": round(one.seconds, 3),
        "error": str(one.error) if one.error else None,
    }


def _end(wanted: list[Wanted]) -> None:
    """Say what is missing; one error is the command's own."""
    failed = list[LabError](_failed(wanted))
    for error in failed[:-1]:
        print(f"lmlab: {error}", file=sys.stderr)
    if failed:
        raise failed[-1]


def _failed(wanted: list[Wanted]) -> Iterator[LabError]:
    return (one.error for one in wanted if one.error is not None)


def _tell(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    pass
