"""Models of the Hugging Face Hub: looked at before they are fetched, safetensors only."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from lmlab.errors import DiskError, LabError, MemoryLimitError, ModelError, disk_error
from lmlab.models import downloads
from lmlab.models.folders import CONFIGS
from lmlab.models.wanted import HubFile, Part, files_of, is_whole, numbers_of, patterns
from lmlab.numbers import gigabytes
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
MOST_BESIDES = 200_000_000  # bytes of all that is no weights: a tokenizer, a vocabulary

Say = Callable[[str], None]


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub as it is now, and what of it is wanted."""

    name: str  # as it was asked for
    called: str  # as the Hub calls it today
    revision: str | None  # as it was asked for
    commit: str
    files: tuple[HubFile, ...]
    numbers: int | None  # in its weights, where the Hub tells it
    only: tuple[str, ...] = ()  # files that were asked for; empty is a model in safetensors

    @property
    def size(self) -> int:
        """Bytes of what is wanted."""
        return sum(file.size for file in self.files)

    @property
    def weights(self) -> int:
        """Bytes of its weight files."""
        fits = (file for file in self.files if self.only or file.path.endswith(".safetensors"))
        return sum(file.size for file in fits)

    @property
    def here(self) -> int:
        """Bytes of it that the cache has."""
        return sum(file.here(self.blobs) for file in self.files)

    @property
    def blobs(self) -> Path:
        """Where the cache keeps its files, by their sums."""
        return cache_dir() / f"models--{self.name.replace('/', '--')}" / "blobs"


def token_of(settings: Settings) -> bool | None:
    """What huggingface_hub takes as a token: None for the one that is stored here, False for none.

    A token opens what its owner may read. A page is asked by others too, by a link as well: there
    it is used only where its owner said so. Commands and the library are asked by the owner alone.
    """
    return False if settings.hub_token is False else None


def gated_hint(token: bool | None, name: str = "") -> str:
    """What to do about a model that only some may read."""
    if token is False:
        return "Whoever runs this page can let it use the token that is stored: LMLAB_HUB_TOKEN."
    return f"Accept its terms at {endpoint()}/{name} and set HF_TOKEN."


def endpoint() -> str:
    """The Hub's address; the environment's HF_ENDPOINT overrides it."""
    return str(constants.ENDPOINT)


def cache_dir() -> Path:
    """Where fetched models are kept; the environment's HF_HOME moves it."""
    return Path(constants.HF_HUB_CACHE)


def fetch(
    part: Part,
    settings: Settings,
    check: Callable[[Repo], None],
    on_progress: Say,
    hint: str,
) -> Path:
    """The local snapshot of a Hub repository, downloaded if the cache does not hold it.

    Args:
        check: raises where it is too large.

    Raises:
        ModelError: not found, gated, without safetensors, or out of reach.
        LabError: what ``check``, ``make_room`` and ``bring`` raise.
    """
    if settings.offline:
        return cached(part, hint)
    try:
        repo = look(part, settings, hint)
        check(repo)
        make_room([repo], settings)
        return bring(repo, settings, on_progress)
    except LabError:
        raise
    except Exception as error:
        log.info("The Hub could not be asked about %s", part.name, exc_info=True)
        try:
            return cached(part, hint)
        except ModelError:
            if (full := disk_error(error)) is not None:
                raise full from None
            raise


@contextmanager
def refusals(name: str, revision: str | None, token: bool | None, hint: str) -> Iterator[None]:
    """What the Hub says no to, as sentences; a Hub that does not answer stays an error of its
    own."""
    try:
        yield
    except RevisionNotFoundError:
        raise ModelError(f"‘{name}’ has no revision ‘{revision}’ on the Hub.") from None
    except GatedRepoError:
        raise ModelError(f"‘{name}’ is gated on the Hub.", gated_hint(token, name)) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no model named ‘{name}’, here or on the Hub.", hint) from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        if code >= 500:
            raise
        if code == 401:
            hint = "The token that is stored, or HF_TOKEN, may be wrong or have expired."
        raise ModelError(f"The Hub refused ‘{name}’ ({code}).", hint) from error


def look(part: Part, settings: Settings, hint: str) -> Repo:
    """A repository, before anything of it is fetched.

    Raises:
        ModelError: not found, gated, or without safetensors or the files that are asked for.
        MemoryLimitError: much that is no weights.
        Exception: of the transport, where the Hub cannot be reached.
    """
    token, (name, revision, only) = token_of(settings), part
    api = HfApi(endpoint=endpoint(), token=token)
    with refusals(name, revision, token, hint):
        seconds = constants.HF_HUB_ETAG_TIMEOUT
        info: Any = api.model_info(name, revision=revision, files_metadata=True, timeout=seconds)
    files = files_of(info, part)
    repo = Repo(name, info.id, revision, str(info.sha), files, numbers_of(info, part), only)
    if only:
        return repo
    if not repo.weights:
        raise ModelError(
            f"‘{name}’ has no weights as safetensors; other formats can run code and are refused.",
            "Look for a converted copy on the Hub.",
        )
    if repo.size - repo.weights > MOST_BESIDES:
        raise MemoryLimitError(
            f"‘{name}’ has more than {MOST_BESIDES / 1e6:.0f} MB of files besides its weights.",
            "Choose another model.",
        )
    return repo


def make_room(repos: Sequence[Repo], settings: Settings) -> None:
    """Whether the disk has room for what is to come of repositories.

    Raises:
        DiskError: it has not.
    """
    need = sum(repo.size - repo.here for repo in repos)
    folder = next(one for one in (cache_dir(), *cache_dir().absolute().parents) if one.is_dir())
    free = max(shutil.disk_usage(folder).free - int(settings.free_gb * 1e9), 0)
    if need > free:
        names = " and ".join(f"‘{repo.name}’" for repo in repos)
        raise DiskError(
            f"{gigabytes(need)} of {names} are to come, and the disk has room for "
            f"{gigabytes(free)} of models.",
            "Make room, or have HF_HOME name a folder on a larger disk.",
        )


def bring(repo: Repo, settings: Settings, say: Say) -> Path:
    """Fetch what the cache lacks of a repository: its snapshot.

    What has come stays where this ends early, and is not asked for again.

    Raises:
        LabError: refused, or what ``downloads.bring`` raises.
        Exception: of the transport, where the Hub cannot be reached.
    """
    token, name = token_of(settings), repo.name
    if repo.here < repo.size:
        say(f"Fetching {name} ({repo.size / 1e6:,.0f} MB) …")
    headers = build_hf_headers(token=token)
    tell = downloads.told(name, repo.here, repo.size, say)
    with refusals(name, repo.revision, token, ""):
        for file in repo.files:
            if file.told and file.size < constants.MAX_HTTP_DOWNLOAD_SIZE:
                place = {"revision": repo.commit, "endpoint": endpoint()}
                url = hf_hub_url(name, file.path, **place)
                downloads.bring(file, url, headers, repo.blobs, tell)
        part = Part(name, repo.revision, repo.only)
        return _snapshot(part, endpoint=endpoint(), token=token)


def cached(part: Part, hint: str) -> Path:
    """A snapshot that lies in the local cache already.

    Raises:
        ModelError: there is none, or a part of it is missing.
    """
    some = ""
    with suppress(Exception):
        if is_whole(found := _snapshot(part, local_files_only=True), part):
            return found
        some = "all of it "
    name = "/".join((part.name, *part.files[:1]))
    raise ModelError(f"‘{name}’ is not {some}on this machine, and the Hub cannot be reached.", hint)


def snapshot_of(name: str, revision: str | None = None, files: Sequence[str] = ()) -> Path | None:
    """The same by a glance, for lists: None where it is not there."""
    part = Part(name, revision, tuple(files))
    for first in files[:1] or CONFIGS:
        with suppress(ValueError, OSError):
            found = try_to_load_from_cache(
                name, first, revision=revision, cache_dir=str(cache_dir())
            )
            if isinstance(found, str):
                folder = Path(found.removesuffix(first))
                if is_whole(folder, part):
                    return folder
    return None


def fetched() -> list[str]:
    """Names of all models that were ever fetched to this machine, whole or not."""
    folders = sorted(cache_dir().glob("models--*")) if cache_dir().is_dir() else []
    return [one.name.removeprefix("models--").replace("--", "/") for one in folders]


def _snapshot(part: Part, **given: Any) -> Path:
    given |= {"revision": part.revision, "cache_dir": cache_dir(), **patterns(part)}
    return Path(snapshot_download(part.name, **given))
