"""Where a GGUF file lies that is named: on this machine, or on the Hub as ``OWNER/NAME/FILE``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.errors import ModelError
from lmlab.models.backends import bare
from lmlab.models.refs import is_elsewhere, local_file
from lmlab.models.wanted import Part
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.hub import Repo

_OF_HUB = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})/([\w./-]{1,200}\.gguf)")
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")


def place_of(
    name: str,
    revision: str | None,
    settings: Settings,
    check: Callable[["Repo"], None],
    on_progress: Callable[[str], None],
) -> Path:
    """The file of a name, fetched first if it is on the Hub.

    Args:
        check: raises where it is too large.

    Raises:
        ModelError: there is none, or it may not be opened.
        LabError: what ``check`` and ``hub.fetch`` raise.
    """
    if (part := part_of(name, revision, settings)) is None:
        return Path(os.path.abspath(str(local_file(name))))
    from lmlab.models.hub import fetch

    return fetch(part, settings, check, on_progress, "") / part.files[0]


def part_of(name: str, revision: str | None, settings: Settings) -> Part | None:
    """What of the Hub a name means, with all files that it is a part of; None for a file of this
    machine.

    llama.cpp is not made to read files of strangers: where visitors may open no folders, the host
    must have listed the very name.

    Raises:
        ModelError: there is none, or it may not be opened.
    """
    listed = {bare(one) for one in (*settings.models, settings.model)}
    if not settings.allow_local and bare(name) not in listed:
        raise ModelError(f"‘{name[:100]}’ is not among the models of this page.")
    if local_file(name) is not None:
        if revision:
            raise ModelError(f"‘{name[:100]}’ is a file of this machine and has no revisions.")
        return None
    if (parts := of_hub(name)) is None:
        raise ModelError(
            f"There is no file ‘{bare(name)[:200]}’.",
            "Name a file of this machine, or one of the Hub: OWNER/NAME/FILE.gguf.",
        )
    if not settings.allow_hub or not (settings.may_fetch(parts[0]) or bare(name) in listed):
        raise ModelError(f"‘{parts[0]}’ is not among the models that may be fetched here.")
    return Part(parts[0], revision or None, tuple(_parts(parts[1])))


def of_hub(name: str) -> tuple[str, str] | None:
    """Repository and file of a name that has the form of the Hub's; None for others."""
    found = _OF_HUB.fullmatch(bare(name))
    return None if found is None or ".." in found[0] else (found[1], found[2])


def source(name: str, settings: Settings) -> str:
    """From where a file would be had that was never fetched; empty where it is here, or cannot be
    had. Looks at nothing that the name could point to."""
    from lmlab.models.hub import cache_dir, endpoint

    if (parts := of_hub(name)) is None:
        if is_elsewhere(bare(name)) or not settings.allow_local:
            return ""
        return f"the file ‘{bare(name)[:200]}’ of this machine"
    if settings.offline or (cache_dir() / f"models--{parts[0].replace('/', '--')}").is_dir():
        return ""
    return f"‘{parts[0]}’ from {endpoint().partition('://')[2] or endpoint()}"


def _parts(file: str) -> list[str]:
    """All files that one is a part of, itself first."""
    if (found := _PART.search(file)) is None:
        return [file]
    stem = file[: found.start()]
    every = [f"{stem}-{i:05}-of-{found[1]}.gguf" for i in range(1, int(found[1]) + 1)]
    return sorted(every, key=lambda one: one != file)
