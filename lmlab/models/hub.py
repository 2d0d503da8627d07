"""Models of the Hugging Face Hub: looked at before they are fetched, safetensors only."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from itertools import compress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lmlab.errors import LabError, MemoryLimitError, ModelError, disk_error
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
MOST_BESIDES = 200_000_000  # bytes of all that is no weights: a tokenizer, a vocabulary
PULSE = 1.0  # seconds between two words about a download
PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def token_of(settings: Settings) -> bool | None:
    """What huggingface_hub takes as a token: None for the one that is stored here, False for none.

    A token opens what its owner may read. A page is asked by others too, by a link as well: there
    it is used only where its owner said so. Commands and the library are asked by the owner alone.
    """
    return False if settings.hub_token is False else None


def gated_hint(token: bool | None) -> str:
    """What to do about a model that only some may read."""
    if token is False:
        return "Whoever runs this page can let it use the token that is stored: LMLAB_HUB_TOKEN."
    return "Accept its terms there and set HF_TOKEN."


def endpoint() -> str:
    """The Hub's address; the environment's HF_ENDPOINT overrides it."""
    return str(constants.ENDPOINT)


def cache_dir() -> Path:
    """Where fetched models are kept; the environment's HF_HOME moves it."""
    return Path(constants.HF_HUB_CACHE)


def fetch(
    name: str,
    revision: str | None,
    settings: Settings,
    max_bytes: int,
    on_progress: Callable[[str], None],
    hint: str,
) -> Path:
    """The local snapshot of a Hub repository, downloaded if the cache does not hold it.

    Raises:
        ModelError: not found, gated, without safetensors, or out of reach.
        MemoryLimitError: its weights are larger than ``max_bytes``.
    """
    if settings.offline:
        return _cached(name, revision, hint)
    token = token_of(settings)
    try:
        return _download(name, revision, max_bytes, token, on_progress)
    except RevisionNotFoundError:
        raise ModelError(f"‘{name}’ has no revision ‘{revision}’ on the Hub.") from None
    except GatedRepoError:
        raise ModelError(f"‘{name}’ is gated on the Hub.", gated_hint(token)) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no model named ‘{name}’, here or on the Hub.", hint) from None
    except HfHubHTTPError as error:
        raise ModelError(
            f"The Hub refused ‘{name}’ ({error.response.status_code}).", hint
        ) from error
    except LabError:
        raise
    except Exception as error:
        # Transport errors: huggingface_hub has changed its HTTP library more than once.
        log.info("The Hub could not be asked about %s", name, exc_info=True)
        try:
            return _cached(name, revision, hint)
        except ModelError:
            if (full := disk_error(error)) is not None:
                raise full from None
            raise


def _download(
    name: str,
    revision: str | None,
    max_bytes: int,
    token: bool | None,
    on_progress: Callable[[str], None],
) -> Path:
    """Looks at a repository, then fetches what the cache lacks of it."""
    api = HfApi(endpoint=endpoint(), token=token)
    info = api.model_info(name, revision=revision, files_metadata=True)
    size = _check(info, name)
    if size > max_bytes:
        raise MemoryLimitError(
            f"‘{name}’ has {size / 1e9:.2g} GB of weights; {max_bytes / 1e9:.2g} GB fit.",
            "Choose a smaller model.",
        )
    on_progress(f"Fetching {name} ({size / 1e6:,.0f} MB) …")
    folder = cache_dir() / f"models--{name.replace('/', '--')}" / "blobs"
    with told(name, folder, size, on_progress):
        fetched = snapshot_download(
            name,
            revision=revision,
            allow_patterns=PATTERNS,
            endpoint=endpoint(),
            cache_dir=cache_dir(),
            token=token,
        )
    return Path(fetched)


@contextmanager
def told(
    name: str, folder: Path, size: int, tell: Callable[[str], None], pulse: float = PULSE
) -> Iterator[None]:
    """Says meanwhile how much of so many bytes has come into a folder, how fast, and how long the
    rest takes; nothing as long as nothing comes.
    """
    over, began, first = threading.Event(), time.monotonic(), _bytes(folder)

    def watch() -> None:
        while not over.wait(pulse):
            come, seconds = _bytes(folder) - first, time.monotonic() - began
            if come > 0:
                have, speed = min(first + come, size), come / seconds
                left = (size - have) / speed
                tell(
                    f"Fetching {name}: {have / 1e6:,.0f} of {size / 1e6:,.0f} MB, "
                    f"{speed / 1e6:,.1f} MB/s, about {left:,.0f} s left …"
                )

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _bytes(folder: Path) -> int:
    """Of all files in a folder, whole or not yet."""
    total = 0
    with suppress(OSError):
        for file in os.scandir(folder):
            with suppress(OSError):
                total += file.stat().st_size
    return total


def _check(info: Any, name: str) -> int:
    """Bytes of a repository's safetensors; refuses one that has none."""
    files = {file.rfilename: file.size or 0 for file in info.siblings or []}
    weights = [size for path, size in files.items() if path.endswith(".safetensors")]
    if not weights:
        raise ModelError(
            f"‘{name}’ has no weights as safetensors; other formats can run code and are refused.",
            "Look for a converted copy on the Hub.",
        )
    fits = (any(fnmatch(path, one) for one in PATTERNS) for path in files)
    wanted = sum(compress(files.values(), fits))
    if wanted - sum(weights) > MOST_BESIDES:
        raise MemoryLimitError(
            f"‘{name}’ has more than {MOST_BESIDES / 1e6:.0f} MB of files besides its weights.",
            "Choose another model.",
        )
    return sum(weights)


def _cached(name: str, revision: str | None, hint: str) -> Path:
    """A snapshot that lies in the local cache already."""
    try:
        found = snapshot_download(
            name,
            revision=revision,
            allow_patterns=PATTERNS,
            cache_dir=cache_dir(),
            local_files_only=True,
        )
    except Exception:
        raise ModelError(
            f"‘{name}’ is not on this machine, and the Hub cannot be reached.", hint
        ) from None
    return Path(found)
