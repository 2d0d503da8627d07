"""A copy of the page on a Hugging Face Space: what of a checkout is sent there."""

from dataclasses import dataclass
from pathlib import Path

from lmlab.errors import InputError

FILES = ("app.py", "README.md", "requirements.txt", "LICENSE")
FOLDERS = ("lmlab", "assets", "docs/images")
NEVER = ("__pycache__", ".pyc", ".pyi", ".DS_Store", ".ipynb_checkpoints", ".log", ".env")
STORAGE = Path("/data")  # where a bucket is mounted that outlives the Space, if it has one


@dataclass(frozen=True)
class Parcel:
    """What is sent."""

    root: Path  # the checkout
    files: tuple[tuple[str, int], ...]  # paths below it, in order, with their bytes

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def parcel(root: Path) -> Parcel:
    """What a Space needs of a checkout: the page, the package, the assets; no tests, no history.

    Raises:
        InputError: this is no checkout.
    """
    missing = [name for name in (*FILES, *FOLDERS) if not (root / name).exists()]
    if missing:
        raise InputError(
            f"{root} is no checkout of lmlab: {', '.join(missing)} is missing.",
            "Run this where the repository lies, or give --from FOLDER.",
        )
    paths = [root / name for name in FILES]
    for name in FOLDERS:
        paths += sorted(path for path in (root / name).rglob("*") if _sent(path.relative_to(root)))
    found = [path for path in paths if path.is_file() and not path.is_symlink()]
    return Parcel(root, tuple((p.relative_to(root).as_posix(), p.stat().st_size) for p in found))


def _sent(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and not any(part.endswith(NEVER) for part in path.parts)
