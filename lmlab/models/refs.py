"""What a model is called: by whoever asks for it. Looks at no weights."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from lmlab.errors import ModelError

RUN, GGUF = "run:", "gguf:"
LONGEST = 4096  # characters of a name
_ELSEWHERE = re.compile(r"[\\/]{2}|[A-Za-z][A-Za-z0-9+.-]+://")


def is_elsewhere(name: str) -> bool:
    """Whether a name is an address, or a share of another machine."""
    return _ELSEWHERE.match(name.strip()) is not None


def local_folder(name: str) -> Path | None:
    """The folder of this machine that a name stands for; None where there is none.

    Shares of other machines are not looked at: to look is to tell that machine who asks.
    """
    if not name or is_elsewhere(name):
        return None
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        # Too long for a name, the home of nobody, or no text that the system knows.
        return None


def local_file(name: str) -> Path | None:
    """The file of this machine that a name stands for, with ``gguf:`` before it or without; None
    where there is none."""
    name = name.removeprefix(GGUF)
    if not name.lower().endswith(".gguf") or is_elsewhere(name):
        return None
    try:
        file = Path(name).expanduser()
        return file if file.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _is_here(name: str) -> bool:
    return local_folder(name) is not None or local_file(name) is not None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by name, perhaps with an adapter on top."""

    name: str  # embedded name, folder, Hub id, or ``run:ID`` for a fine-tuning run
    adapter: str | None = None  # the same for a PEFT adapter
    revision: str | None = None  # branch, tag or commit of a Hub id
    # factor of the adapter's scale (the lecture's α): 0 is the base, 1 as trained
    alpha: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Read ``NAME[@REVISION][+ADAPTER]``; @ and + in folders that exist are names."""
        return cls.cut(_checked(text))

    @classmethod
    def cut(cls, text: str) -> "ModelRef":
        """The same of any text at all, also one that nothing could be called."""
        name, adapter = _parts(text)
        if _is_here(name):
            return cls(name, adapter or None)
        return cls._revised(name, adapter)

    @classmethod
    def split(cls, text: str) -> "ModelRef":
        """The same without a look at the disk."""
        name, _, adapter = _checked(text).partition("+")
        return cls._revised(name, adapter)

    @classmethod
    def _revised(cls, name: str, adapter: str) -> "ModelRef":
        name, _, revision = name.partition("@")
        return cls(name.strip(), adapter.strip() or None, revision.strip() or None)

    def with_adapter(self, adapter: str | None) -> "ModelRef":
        """The same model with an adapter on top; as it is where none is named."""
        return replace(self, adapter=adapter) if adapter else self

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        alpha = f" (α = {self.alpha:g})" if self.alpha != 1 else ""
        return f"{self.name}{revision}" + (f"+{self.adapter}{alpha}" if self.adapter else "")


def _checked(text: str) -> str:
    # From a call by hand it may be anything.
    text = text.strip() if isinstance(text, str) else ""
    if not text:
        raise ModelError("No model is named.", "Choose one, for instance ‘base’.")
    if "\0" in text or len(text) > LONGEST:
        raise ModelError("That is not a model's name.")
    return text


def _parts(text: str) -> tuple[str, str]:
    """A model's name and its adapter's: cut at the + that leaves most folders whole."""
    if len(text) > LONGEST or _is_here(text):
        return text, ""
    places = [i for i, sign in enumerate(text) if sign == "+"]
    cuts = [(text[:i].strip(), text[i + 1 :].strip()) for i in places] or [(text, "")]

    def rank(cut: tuple[str, str]) -> tuple[int, int]:
        folders = sum(map(_is_here, cut))
        return folders, len(cut[0]) if folders else -len(cut[0])

    return max(cuts, key=rank)
