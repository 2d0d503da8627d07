"""Data sets from the Hugging Face Hub, and what was learned to it. The only module that is ever
given a visitor's token, which goes into one call and nowhere else.
"""

import hashlib
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

from lmlab.errors import InputError
from lmlab.models.hub import cache_dir, endpoint
from lmlab.runs.hub_errors import refused
from lmlab.text.parquet import read_parquet
from lmlab.text.sets import Table, read_file

log = logging.getLogger("lmlab")
# Where the Hub keeps every data set as Parquet, whatever form it was uploaded in.
CONVERTED = "refs/convert/parquet"
READ = (".parquet", ".jsonl", ".json", ".csv", ".tsv")
SPLITS = ("train", "test", "validation", "valid", "val", "dev")
MOST_BYTES = 200_000_000
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,95}")
_DATASET = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


@dataclass(frozen=True)
class HubSet:
    """A data set of the Hub."""

    repo: str  # owner/name
    revision: str = ""  # a branch, tag or commit; empty takes the newest
    subset: str = ""  # of several; empty takes the first

    @classmethod
    def parse(cls, text: str) -> "HubSet":
        """From ``owner/name``, with ``@revision`` and ``:subset`` where wanted.

        Raises:
            InputError: that is no name.
        """
        rest, _, subset = text.strip().partition(":")
        repo, at, revision = rest.partition("@")
        repo, revision, subset = repo.strip(), revision.strip(), subset.strip()
        if not _DATASET.fullmatch(repo) or ".." in repo:
            raise InputError(
                f"‘{repo[:80]}’ is no name of a data set on the Hub.",
                "Write owner/name, with @revision and :subset where wanted.",
            )
        if at and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise InputError(f"‘{revision[:80]}’ is no revision of a data set.")
        return cls(repo, revision, subset)

    @property
    def name(self) -> str:
        """As shown to people."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def hub_table(
    wanted: HubSet, split: str, limit: int, *, skip: bool = False, token: bool | None = None
) -> Table:
    """The first rows of a data set of the Hub.

    Args:
        token: False asks without the token that is stored.

    Raises:
        InputError: it cannot be found, is too large, or the Hub cannot be reached.
    """
    repo = wanted.repo
    # Without a revision, what the Hub has converted; a set that it has not is read as it is.
    revisions = [wanted.revision] if wanted.revision else [CONVERTED, None]
    failed: InputError | None = None
    for revision in revisions:
        try:
            file, path = _fetched(wanted, split, revision, token)
        except InputError as error:
            failed = failed or error
        except Exception:
            log.info("The Hub could not give the data set %s", repo, exc_info=True)
        else:
            if file.endswith(".parquet"):
                return read_parquet(path, wanted.name, limit, skip=skip)
            return replace(read_file(path, skip=skip), name=wanted.name)
    raise failed or InputError(
        f"The data set ‘{wanted.name}’ cannot be had from the Hub.",
        "It may not exist, need permission, or the Hub cannot be reached.",
    )


def _fetched(
    wanted: HubSet, split: str, revision: str | None, token: bool | None
) -> tuple[str, Path]:
    """A split's first file, and where it lies now."""
    repo = wanted.repo
    api = HfApi(endpoint=endpoint(), token=token)
    info = api.dataset_info(repo, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    file = _choose(sizes, repo, wanted.subset, split)
    path = hf_hub_download(
        repo,
        file,
        repo_type="dataset",
        revision=revision,
        endpoint=endpoint(),
        cache_dir=cache_dir(),
        token=token,
    )
    return file, Path(path)


def _choose(sizes: dict[str, int], repo: str, subset: str, split: str) -> str:
    """The first file of a split; of the first subset unless one is named."""
    known: dict[tuple[str, str], str] = {}
    for file in sorted(sizes):
        if file.lower().endswith(READ) and (found := _parts(file)):
            known.setdefault(found, file)
    fitting = [file for (a, b), file in known.items() if b == split and subset in ("", a)]
    if not fitting:
        names = ", ".join("/".join(filter(None, key)) for key in list(known)[:12]) or "none"
        raise InputError(
            f"‘{repo}’ has no split ‘{f'{subset}/' if subset else ''}{split}’.",
            f"There are: {names}.",
        )
    if sizes[fitting[0]] > MOST_BYTES:
        raise InputError(f"‘{repo}’ is larger than {MOST_BYTES / 1e6:.0f} MB.")
    return fitting[0]


def _parts(file: str) -> tuple[str, str] | None:
    """Subset and split of a file: subset/split/0000.parquet, data/train-00000-of-00001.parquet,
    test.csv; a file that names no split is one to train with."""
    *folders, name = file.split("/")
    if len(folders) == 2 and name.endswith(".parquet"):
        return folders[0], folders[1]
    subset = next((one for one in folders if one not in ("data", *SPLITS)), "")
    words = re.split(r"[-_.]", name.lower())
    named = next((one for one in (*words, *folders) if one in SPLITS), "train")
    if not folders and name.lower() in ("dataset_infos.json", "package.json"):
        return None
    return subset, {"dev": "validation", "valid": "validation", "val": "validation"}.get(
        named, named
    )


def home_of(base: Path, name: str, repo: str) -> str:
    """The id under which a base is pushed beside ``repo``: its owner, the base's name and the sum
    of its weights, so that nothing else is ever written over."""
    weights = hashlib.sha256()
    for file in sorted(base.glob("*.safetensors")):
        weights.update(file.read_bytes())
    short = re.sub(r"[^\w.]+", "-", name)[:40].strip("-.")
    return f"{repo.partition('/')[0]}/lmlab-{short}-{weights.hexdigest()[:8]}"


def check_repo(repo: str, token: str) -> None:
    """Refuse what is no name or no token.

    Raises:
        InputError: says which.
    """
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise InputError(f"‘{repo[:80]}’ is no name on the Hub.", "Write owner/name.")
    if not token.strip():
        raise InputError(
            "A token of the Hub is needed.", "Make one that may write, in its settings."
        )


def push(folder: Path, repo: str, token: str, private: bool) -> str:
    """Upload a folder to the Hub; its address there.

    Raises:
        InputError: the Hub refuses; never tells what the token was.
    """
    check_repo(repo, token)
    try:
        api = HfApi(endpoint=endpoint(), token=token.strip())
        api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message="From lmlab")
    except Exception as error:
        failed = refused(error, repo, kept="What was learned is still here.")
    else:
        return f"{endpoint()}/{repo}"
    raise failed  # here, so that the library's error, which may hold the token, is gone
