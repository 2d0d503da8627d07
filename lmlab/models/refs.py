"""What a model is called: by whoever asks for it. Looks at no weights."""

from dataclasses import dataclass
from pathlib import Path

from lmlab.errors import ModelError

RUN = "run:"


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
        """Read ``NAME[@REVISION][+ADAPTER]``; a folder that exists is always a plain name."""
        # From a call by hand it may be anything.
        text = text.strip() if isinstance(text, str) else ""
        if not text:
            raise ModelError("No model is named.", "Choose one, for instance ‘base’.")
        if "\0" in text or len(text) > 4096:
            raise ModelError("That is not a model's name.")
        if Path(text).expanduser().is_dir():
            return cls(text)
        name, _, adapter = text.partition("+")
        name, _, revision = name.partition("@")
        return cls(name.strip(), adapter.strip() or None, revision.strip() or None)

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        alpha = f" (α = {self.alpha:g})" if self.alpha != 1 else ""
        return f"{self.name}{revision}" + (f"+{self.adapter}{alpha}" if self.adapter else "")
