"""A copy of the page on a Hugging Face Space: what of a checkout is sent there, and sending it.

How large files travel is huggingface_hub's business; it is imported only when something is sent.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.errors import InputError

FILES = ("app.py", "README.md", "requirements.txt", "LICENSE")
FOLDERS = ("lmlab", "assets")
NEVER = ("__pycache__", ".pyc", ".pyi", ".DS_Store", ".ipynb_checkpoints", ".log", ".env")
STORAGE = Path("/data")  # where a Space has storage that outlives it, if it has any
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_VARIABLE = re.compile(r"LMLAB_[A-Z_]{1,60}")


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


def deploy(
    what: Parcel,
    space: str,
    *,
    private: bool = False,
    variables: Mapping[str, str] | None = None,
    hub: Callable[[], Any] | None = None,
) -> str:
    """Make the Space if there is none, set its variables, send the files; its address.

    Args:
        what: the files.
        space: ``owner/name``.
        private: whether a new Space is hidden from others.
        variables: settings of the page, ``LMLAB_…``.
        hub: makes the Hub's client; by default huggingface_hub's, with the token of ``hf auth
            login`` or HF_TOKEN.

    Raises:
        InputError: a name that cannot be, or the Hub refuses; never tells a token.
    """
    check(space, variables or {})
    if hub is None:
        from huggingface_hub import HfApi

        hub = HfApi
    kind = ""
    try:
        _send(hub(), what, space, private, variables or {})
    except Exception as error:
        # What the library says may hold the request, and so the token: only its kind is kept.
        kind = type(error).__name__
    if kind:
        raise InputError(
            f"The Hub did not take ‘{space}’ ({kind}).",
            "Log in with `hf auth login` as somebody who may write there.",
        )
    return f"https://huggingface.co/spaces/{space}"


def check(space: str, variables: Mapping[str, str]) -> None:
    """Refuse what is no name of a Space or of a setting.

    Raises:
        InputError: says which.
    """
    if not _NAME.fullmatch(space) or ".." in space:
        raise InputError(f"‘{space[:80]}’ is no name of a Space.", "Write owner/name.")
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise InputError(f"‘{name[:60]}’ is no setting.", "Settings are named LMLAB_….")


def _send(api: Any, what: Parcel, space: str, private: bool, variables: Mapping[str, str]) -> None:
    api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
    for name, value in variables.items():
        api.add_space_variable(space, name, value)
    api.upload_folder(
        repo_id=space,
        repo_type="space",
        folder_path=str(what.root),
        allow_patterns=[path for path, _ in what.files],
        # What is no longer part of the page goes; what somebody put beside it stays.
        delete_patterns=[f"{folder}/*" for folder in FOLDERS],
        commit_message="The page as it is",
    )


def _sent(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and not any(part.endswith(NEVER) for part in path.parts)


def keep(environment: "os._Environ[str] | dict[str, str]", storage: Path = STORAGE) -> None:
    """Have models and runs kept where they outlive the Space, if it has such a place.

    Call it before huggingface_hub is imported, which reads HF_HOME once. What is set already stays.
    """
    if "SPACE_ID" in environment and storage.is_dir() and os.access(storage, os.W_OK):
        environment.setdefault("HF_HOME", str(storage / ".huggingface"))
        environment.setdefault("LMLAB_RUNS_DIR", str(storage / "lmlab" / "runs"))
