"""Data sets from the Hugging Face Hub, and what was learned to it. The only module that is ever
given a visitor's token, which goes into one call and nowhere else.
"""

import logging
import re
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

from lmlab.data.parquet import read_parquet
from lmlab.data.sets import Table
from lmlab.errors import InputError
from lmlab.models.hub import cache_dir, endpoint

log = logging.getLogger("lmlab")
# Where the Hub keeps every data set as Parquet, whatever form it was uploaded in.
CONVERTED = "refs/convert/parquet"
MOST_BYTES = 200_000_000
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_DATASET = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


def hub_table(repo: str, subset: str, split: str, limit: int, token: bool | None = None) -> Table:
    """The first rows of a data set of the Hub, asked with the stored token unless it is False.

    Raises:
        InputError: it cannot be found, is too large, or the Hub cannot be reached.
    """
    if not _DATASET.fullmatch(repo) or ".." in repo:
        raise InputError(f"‘{repo[:80]}’ is no name of a data set on the Hub.")
    try:
        info = HfApi(endpoint=endpoint(), token=token).dataset_info(
            repo, revision=CONVERTED, files_metadata=True
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        file = _choose(sizes, repo, subset, split)
        path = hf_hub_download(
            repo,
            file,
            repo_type="dataset",
            revision=CONVERTED,
            endpoint=endpoint(),
            cache_dir=cache_dir(),
            token=token,
        )
    except InputError:
        raise
    except Exception:
        log.info("The Hub could not give the data set %s", repo, exc_info=True)
        raise InputError(
            f"The data set ‘{repo}’ cannot be had from the Hub.",
            "It may not exist, need permission, or the Hub cannot be reached.",
        ) from None
    return read_parquet(Path(path), repo, limit)


def _choose(sizes: dict[str, int], repo: str, subset: str, split: str) -> str:
    """The first file of a split; of the first subset unless one is named."""
    known: dict[tuple[str, str], str] = {}
    for file in sorted(sizes):
        parts = file.split("/")
        if len(parts) == 3 and file.endswith(".parquet"):
            known.setdefault((parts[0], parts[1]), file)
    fitting = [file for (a, b), file in known.items() if b == split and subset in ("", a)]
    if not fitting:
        names = ", ".join(f"{a}/{b}" for a, b in list(known)[:12]) or "none"
        raise InputError(
            f"‘{repo}’ has no split ‘{f'{subset}/' if subset else ''}{split}’.",
            f"There are: {names}.",
        )
    if sizes[fitting[0]] > MOST_BYTES:
        raise InputError(f"‘{repo}’ is larger than {MOST_BYTES / 1e6:.0f} MB.")
    return fitting[0]


def push(folder: Path, repo: str, token: str, private: bool) -> str:
    """Upload a folder to the Hub; its address there.

    Raises:
        InputError: the Hub refuses; never tells what the token was.
    """
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise InputError(f"‘{repo[:80]}’ is no name on the Hub.", "Write owner/name.")
    if not token.strip():
        raise InputError(
            "A token of the Hub is needed.", "Make one that may write, in its settings."
        )
    kind = ""
    try:
        api = HfApi(endpoint=endpoint(), token=token.strip())
        api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message="From lmlab")
    except Exception as error:
        # What the library says may hold the request, and so the token: only its kind is kept.
        kind = type(error).__name__
    if kind:
        raise InputError(
            f"The Hub did not take ‘{repo}’ ({kind}).",
            "The token must be valid and may write there.",
        )
    return f"{endpoint()}/{repo}"
