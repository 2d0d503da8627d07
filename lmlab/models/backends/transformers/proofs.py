"""What a probe found of a folder's model, kept on disk for its next loading on this machine.

It holds for one state of the folder, read in one way by one version of everything; whatever differs
is proved anew. A file that cannot be read or written is as if it were not there.
"""

import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
import transformers
from pydantic import BaseModel, ConfigDict

from lmlab.models.backends.transformers.body import Kind
from lmlab.settings import Settings
from lmlab.version import __version__

SAMPLE = 1 << 14  # bytes at either end of a file of weights
GRAIN = 2e9  # nanoseconds: what is younger may change again without a sign of it
MOST = 1000  # models whose proofs are kept
CONFIGS = ("config.json", "generation_config.json")
Stamp = tuple[str, int, int, int]


class Found(BaseModel):
    """What is kept."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str  # of all that it depends on
    head: Kind
    width: int  # of the logits
    shown: dict[str, bool]  # what was tried, and whether it gave the plain rows
    windows: list[int]  # see ``Ways.window``


class Proof:
    """What was found of one model that was just read from a folder.

    Args:
        before: ``stamps_of`` the folder, taken before it was read.
    """

    def __init__(self, model: Any, folder: Path, before: list[Stamp], settings: Settings) -> None:
        self._model, self._folder = model, folder
        self._untouched = _tensors(model)
        self._key = ""
        self.found: Found | None = None
        # Where no home is known, nothing is kept.
        with suppress(OSError, RuntimeError, ValueError):
            if before == stamps_of(folder):
                self._key = self._key_of(before)
            name = blake2b(os.path.abspath(folder).encode(), digest_size=16).hexdigest()
            self._file = (settings.cache_dir or _default()) / "proofs" / f"{name}.json"
            found = Found.model_validate_json(self._file.read_bytes())
            self.found = found if self._key and found.key == self._key else None

    def begin(self, kind: Kind, width: int, shown: dict[str, bool]) -> None:
        """The head that was found; it is kept with what is shown next."""
        if self._key:
            self.found = Found(key=self._key, head=kind, width=width, shown=shown, windows=[])

    def add(self, what: str, answer: bool, windows: Sequence[int]) -> None:
        """Keep an answer, unless model or folder have changed since the model was read."""
        if self.found is None or _tensors(self._model) != self._untouched:
            return
        self.found.shown[what], self.found.windows = answer, list(windows)
        with suppress(OSError, RuntimeError, AttributeError):
            if self._key_of(stamps_of(self._folder)) == self._key:
                _write(self._file, self.found.model_dump_json())

    def end(self) -> None:
        """Keep nothing more: what is found from here on may hang on what has failed."""
        self.found = None

    def _key_of(self, stamps: list[Stamp]) -> str:
        """A hash of all that what is found depends on; empty where that cannot be told."""
        device = _device(self._model.device)
        if not stamps or not device:
            return ""
        facts = (
            os.path.abspath(self._folder), stamps, str(type(self._model)),
            device, str(self._model.dtype),
            str(getattr(self._model.config, "_attn_implementation", None)),
            torch.get_num_threads(), torch.get_float32_matmul_precision(), _house(),
        )  # fmt: skip
        made = blake2b(repr(facts).encode(), digest_size=16)
        for name, size, *_ in stamps:
            if name in CONFIGS or name.endswith(".safetensors"):
                made.update(_sampled(os.path.join(self._folder, name), size))
        return made.hexdigest()


def stamps_of(folder: Path) -> list[Stamp]:
    """Name, size and times of all in a folder; nothing where it is too young, or not there."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = [
            (one.name, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            for one in entries
            if (at := one.stat())
        ]
        newest = max((max(one[2:]) for one in found), default=0)
        return [] if time.time_ns() - newest < GRAIN else sorted(found)
    return []


def _sampled(path: str, size: int) -> bytes:
    """A small file's bytes; the beginning and the end of a large one."""
    with open(path, "rb", buffering=0) as file:
        first = file.read(SAMPLE)
        file.seek(max(len(first), size - SAMPLE))
        return first + file.read(SAMPLE)


def _tensors(model: Any) -> list[tuple[int, int]]:
    """Which parameters a model has, and how often each was changed in place."""
    found, left = list[tuple[int, int]](), [model]
    while left:  # several times as fast as ``parameters``
        if (module := left.pop()) is not None:
            left += module._modules.values()
            own = [one for one in module._parameters.values() if one is not None]
            found += [(id(one), one.is_inference() or one._version) for one in own]
    return found


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    # A lent GPU is not there yet while models are read.
    cuda: Any = torch.cuda
    return str(cuda.get_device_name(device)) if cuda.is_initialized() else ""


@cache
def _house() -> tuple[str, ...]:
    """Versions, the source of ``lmlab.models``, and the processor."""
    source = blake2b(digest_size=16)
    for file in sorted(Path(__file__).parents[2].rglob("*.py")):
        source.update(file.read_bytes())
    cpu = platform.processor()
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        cpu = next((line for line in lines if line.startswith("model name")), cpu)
    return (
        torch.__version__, transformers.__version__, __version__, source.hexdigest(), cpu,
        platform.machine(), torch.backends.cpu.get_cpu_capability(),
    )  # fmt: skip


def _write(file: Path, text: str) -> None:
    """Whole or not at all; the oldest go where there are many."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{uuid4().hex}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    kept = list(file.parent.iterdir())
    if len(kept) > MOST:
        min(kept, key=lambda one: one.stat().st_mtime_ns).unlink(missing_ok=True)


def _default() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lmlab"
