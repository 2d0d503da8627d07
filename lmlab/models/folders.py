"""What of models lies on this machine, read from files' names and heads alone. Knows no torch."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

CONFIGS = ("config.json", "adapter_config.json")
ADAPTER = "adapter_model.safetensors"
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def whole(folder: Path) -> bool:
    """Whether a folder holds a model or an adapter with all files of its weights."""
    try:
        return any((folder / one).is_file() for one in CONFIGS) and bool(weight_files(folder))
    except (OSError, ValueError):
        return False


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder's weights as safetensors; none where one of them is missing.

    Raises:
        OSError, ValueError: the list of them cannot be read.
    """
    for name in (SINGLE, ADAPTER):
        if (folder / name).is_file():
            return [folder / name]
    if not (folder / INDEX).is_file():
        return []
    listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    names = {Path(str(one)).name for one in dict(listed.get("weight_map", {})).values()}
    files = [folder / name for name in sorted(names)]
    return files if all(file.is_file() for file in files) else []


def continues(folder: Path | None) -> bool:
    """Whether a folder's config says that it is a model that continues text."""
    try:
        raw = json.loads(((folder or Path("/")) / CONFIGS[0]).read_text(encoding="utf-8"))
        names = raw.get("architectures") or []
        return any(str(one).endswith(("CausalLM", "LMHeadModel")) for one in names)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return False


def numbers_in(files: Iterable[Path]) -> int:
    """How many numbers the tensors of safetensors files have.

    Raises:
        SafetensorError, OSError: one is damaged.
    """
    shapes: list[list[int]] = []
    for file in files:
        with safe_open(file, framework="np") as opened:
            shapes += [opened.get_slice(key).get_shape() for key in opened.keys()]  # noqa: SIM118
    return sum(map(math.prod, shapes))


def numbers_of(folder: Path) -> int | None:
    """The same of a folder's weights; None where they are missing or damaged."""
    try:
        return numbers_in(weight_files(folder)) or None
    except (SafetensorError, OSError, ValueError, AttributeError, TypeError):
        return None
