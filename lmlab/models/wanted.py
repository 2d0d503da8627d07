"""What of a repository of the Hub is wanted: a model in safetensors, or files by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from lmlab.errors import ModelError
from lmlab.models.folders import whole

_SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
IGNORED = ["*/*.safetensors", "consolidated*.safetensors"]  # the same weights once more


@dataclass(frozen=True)
class HubFile:
    """A file of a repository, as the Hub tells of it."""

    path: str  # within the repository
    size: int  # bytes
    sum: str  # SHA-256 of a large file, git's SHA-1 of a small one: its name in the cache

    @property
    def told(self) -> bool:
        """Whether the sum is one, so that the file can be checked and named by it."""
        return bool(_SUM.fullmatch(self.sum))

    def part(self, blobs: Path) -> Path:
        """Where it grows until it is whole."""
        return blobs / f"{self.sum}.part.incomplete"

    def here(self, blobs: Path) -> int:
        """Bytes of it that a cache has."""
        for file in (blobs / self.sum, self.part(blobs)):
            if self.told and file.is_file():
                return min(file.stat().st_size, self.size)
        return 0


class Part(NamedTuple):
    """What of a reference is the Hub's."""

    name: str  # of the repository
    revision: str | None = None
    files: tuple[str, ...] = ()  # of it; empty is a model, or an adapter, in safetensors


def patterns(part: Part) -> dict[str, list[str]]:
    """What huggingface_hub takes as the files that are wanted, and those that are not."""
    if part.files:
        return {"allow_patterns": [*map(escape, part.files)]}
    return {"allow_patterns": PATTERNS, "ignore_patterns": IGNORED}


def is_whole(folder: Path, part: Part) -> bool:
    """Whether a folder holds all that is wanted."""
    if part.files:
        return all((folder / one).is_file() for one in part.files)
    return whole(folder)


def files_of(info: Any, part: Part) -> tuple[HubFile, ...]:
    """The files that are wanted of a repository that the Hub tells of.

    Raises:
        ModelError: one that was asked for is not there.
    """
    found = {one.rfilename: _file(one) for one in info.siblings or []}
    if part.files:
        return _of(found, part.files, part.name)
    return tuple(file for path, file in found.items() if _is_wanted(path))


def numbers_of(info: Any, part: Part) -> int | None:
    """How many numbers a model's weights have, where the Hub has read their heads."""
    total = getattr(info.safetensors, "total", None)
    return total if isinstance(total, int) and total > 0 and not part.files else None


def _of(found: Mapping[str, HubFile], only: Sequence[str], name: str) -> tuple[HubFile, ...]:
    """The files that are asked for."""
    for one in only:
        if one not in found:
            kind = one.rpartition(".")[2]
            there = [path for path in found if path.endswith(f".{kind}")]
            hint = f"It has: {', '.join(there[:10])}." if there else f"It has no {kind} files."
            raise ModelError(f"‘{name}’ has no file ‘{one}’ on the Hub.", hint)
    return tuple(found[one] for one in only)


def _is_wanted(path: str) -> bool:
    fits = any(fnmatch(path, one) for one in PATTERNS)
    return fits and not any(fnmatch(path, one) for one in IGNORED)


def _file(one: Any) -> HubFile:
    """A file's path, size and sum, of what may be missing in the answer of a copy of the Hub."""
    total = str(getattr(one.lfs, "sha256", "") or one.blob_id or "")
    return HubFile(one.rfilename, one.size or 0, total.lower())
