"""Where a GGUF file lies that is named: on this machine, or on the Hub as ``OWNER/NAME/FILE``."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lmlab.errors import LabError, MemoryLimitError, ModelError, disk_error
from lmlab.models.backends import bare
from lmlab.models.refs import is_elsewhere, local_file
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
_OF_HUB = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})/([\w./-]{1,200}\.gguf)")
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")


def place_of(
    name: str,
    revision: str | None,
    settings: Settings,
    largest: int,
    on_progress: Callable[[str], None],
) -> Path:
    """The file of a name, fetched first if it is on the Hub.

    llama.cpp is not made to read files of strangers: where visitors may open no folders, the host
    must have listed the very name.

    Raises:
        ModelError: there is none, or it may not be opened.
        MemoryLimitError: it is larger than ``largest`` bytes.
    """
    listed = {bare(one) for one in (*settings.models, settings.model)}
    if not settings.allow_local and bare(name) not in listed:
        raise ModelError(f"‘{name[:100]}’ is not among the models of this page.")
    if (file := local_file(name)) is not None:
        if revision:
            raise ModelError(f"‘{name[:100]}’ is a file of this machine and has no revisions.")
        return Path(os.path.abspath(file))
    if (parts := of_hub(name)) is None:
        raise ModelError(
            f"There is no file ‘{bare(name)[:200]}’.",
            "Name a file of this machine, or one of the Hub: OWNER/NAME/FILE.gguf.",
        )
    if not settings.allow_hub or not (settings.may_fetch(parts[0]) or bare(name) in listed):
        raise ModelError(f"‘{parts[0]}’ is not among the models that may be fetched here.")
    return _fetched(*parts, revision, settings, largest, on_progress)


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


def _fetched(
    name: str,
    file: str,
    revision: str | None,
    settings: Settings,
    largest: int,
    on_progress: Callable[[str], None],
) -> Path:
    """A file of the Hub, with all that it is a part of."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    from lmlab.models.hub import gated_hint, token_of

    files = _parts(file)
    if settings.offline:
        return _cached(name, files, revision)
    token = token_of(settings)
    try:
        return _download(name, files, revision, token, largest, on_progress)
    except RevisionNotFoundError:
        raise ModelError(f"‘{name}’ has no revision ‘{revision}’ on the Hub.") from None
    except GatedRepoError:
        raise ModelError(f"‘{name}’ is gated on the Hub.", gated_hint(token)) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no model named ‘{name}’ on the Hub.") from None
    except HfHubHTTPError as error:
        raise ModelError(f"The Hub refused ‘{name}’ ({error.response.status_code}).") from error
    except LabError:
        raise
    except Exception as error:
        log.info("The Hub could not be asked about %s", name, exc_info=True)
        try:
            return _cached(name, files, revision)
        except ModelError:
            if (full := disk_error(error)) is not None:
                raise full from None
            raise


def _parts(file: str) -> list[str]:
    """All files that one is a part of, itself first."""
    if (found := _PART.search(file)) is None:
        return [file]
    stem = file[: found.start()]
    every = [f"{stem}-{i:05}-of-{found[1]}.gguf" for i in range(1, int(found[1]) + 1)]
    return sorted(every, key=lambda one: one != file)


def _download(
    name: str,
    files: Sequence[str],
    revision: str | None,
    token: bool | None,
    largest: int,
    on_progress: Callable[[str], None],
) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    from lmlab.models.hub import cache_dir, endpoint, told

    api = HfApi(endpoint=endpoint(), token=token)
    info = api.model_info(name, revision=revision, files_metadata=True)
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or []}
    if missing := [one for one in files if one not in sizes]:
        there = [one for one in sizes if one.endswith(".gguf")]
        hint = f"It has: {', '.join(there[:10])}." if there else "It has no GGUF files."
        raise ModelError(f"‘{name}’ has no file ‘{missing[0]}’ on the Hub.", hint)
    size = sum(sizes[one] for one in files)
    if size > largest:
        raise MemoryLimitError(
            f"‘{name}/{files[0]}’ has {size / 1e9:.2g} GB of weights; {largest / 1e9:.2g} GB fit.",
            "Choose a smaller model, or one that is quantised further.",
        )
    on_progress(f"Fetching {name} ({size / 1e6:,.0f} MB) …")
    where: Any = {"endpoint": endpoint(), "cache_dir": cache_dir(), "token": token}
    with told(
        name, cache_dir() / f"models--{name.replace('/', '--')}" / "blobs", size, on_progress
    ):
        found = [hf_hub_download(name, one, revision=info.sha, **where) for one in files]
    return Path(found[0])


def _cached(name: str, files: Sequence[str], revision: str | None) -> Path:
    from huggingface_hub import try_to_load_from_cache

    from lmlab.models.hub import cache_dir

    found = [try_to_load_from_cache(name, one, cache_dir(), revision) for one in files]
    if not all(isinstance(one, str) for one in found):
        raise ModelError(f"‘{name}/{files[0]}’ is not on this machine, and the Hub is not asked.")
    return Path(str(found[0]))
