"""What a model is called: by whoever asks for it. Looks at no weights."""

from dataclasses import dataclass, replace
from pathlib import Path

from lmlab.errors import ModelError

RUN = "run:"
LONGEST = 4096  # characters of a name


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by name, perhaps with an adapter on top.

    Attributes:
        name: embedded name, folder, Hub id, or ``run:ID`` for a fine-tuning run.
        adapter: the same for a PEFT adapter.
        revision: branch, tag or commit of a Hub id.
        alpha: factor of the adapter's scale (the lecture's α): 0 is the base, 1 as trained.
    """

    name: str
    adapter: str | None = None
    revision: str | None = None
    alpha: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Read ``NAME[@REVISION][+ADAPTER]``; @ and + in folders that exist are names."""
        # From a call by hand it may be anything.
        text = text.strip() if isinstance(text, str) else ""
        if not text:
            raise ModelError("No model is named.", "Choose one, for instance ‘base’.")
        if "\0" in text or len(text) > LONGEST:
            raise ModelError("That is not a model's name.")
        return cls.cut(text)

    @classmethod
    def cut(cls, text: str) -> "ModelRef":
        """The same of any text at all, also one that nothing could be called."""
        name, adapter = _parts(text)
        if is_folder(name):
            return cls(name, adapter or None)
        name, _, revision = name.partition("@")
        return cls(name.strip(), adapter or None, revision.strip() or None)

    def with_adapter(self, adapter: str | None) -> "ModelRef":
        """The same model with an adapter on top; as it is where none is named."""
        return replace(self, adapter=adapter) if adapter else self

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        alpha = f" (α = {self.alpha:g})" if self.alpha != 1 else ""
        return f"{self.name}{revision}" + (f"+{self.adapter}{alpha}" if self.adapter else "")


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder of this machine."""
    try:
        return bool(name) and Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def _parts(text: str) -> tuple[str, str]:
    """A model's name and its adapter's: cut at the + that leaves most folders whole."""
    if is_folder(text):
        return text, ""
    if len(text) > LONGEST:
        return text, ""
    places = [i for i, sign in enumerate(text) if sign == "+"]
    cuts = [(text[:i].strip(), text[i + 1 :].strip()) for i in places] or [(text, "")]

    def rank(cut: tuple[str, str]) -> tuple[int, int]:
        folders = sum(map(is_folder, cut))
        return folders, len(cut[0]) if folders else -len(cut[0])

    return max(cuts, key=rank)
