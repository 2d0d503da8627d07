"""GGUF files, run by llama.cpp as they are: ``gguf:FILE``, or ``gguf:OWNER/NAME/FILE`` of the Hub.

``header`` looks at a file in Python, ``engine`` is llama.cpp by its own functions, ``tokenizer``
its way of cutting text, ``model`` the model that comes of it. See docs/gguf.md.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.errors import ModelError
from lmlab.models.backends.gguf.header import Header, read_header
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.backends import Copy

GIVEN = frozenset({"scores", "ranks", "entropy", "distributions", "text", "adapters"})
LEAST = 512  # positions that a context has at least
ROOM = 200_000_000  # bytes that llama.cpp works in
CONTEXT = 2048  # positions, where a file does not say
OTHER = {
    "adapter": "is an adapter, not a model: name it after a model and a +.",
    "mmproj": "reads pictures for another model and continues no text.",
    "imatrix": "holds what a model was quantised by, not a model.",
}


def gives(name: str) -> frozenset[str]:
    """Whole distributions, and no weights: those are quantised, and llama.cpp's alone."""
    return GIVEN


def find(place: Path, name: str) -> "Found":
    """The model in a file.

    Raises:
        ModelError: it cannot be read, is no model that continues text, or llama.cpp is not here.
    """
    if not place.is_file():
        raise ModelError(f"There is no file ‘{place.name[:100]}’.", "Is its name right?")
    header = read_header(place, name)
    _check_model(header, name)
    for part in header.files:
        if part != place:
            if not part.is_file():
                raise ModelError(
                    f"‘{name}’ is one of several files, of which {part.name} is missing.",
                    "Put all of them in one folder.",
                )
            read_header(part, name)
    if find_spec("llama_cpp") is None:
        raise ModelError(
            f"‘{name}’ is run by llama.cpp, which is not installed.",
            "Install it with: pip install 'lmlab[gguf]'",
        )
    return Found(name, header)


def _check_model(header: Header, name: str) -> None:
    told = header.metadata
    if (kind := str(told.get("general.type", "model"))) in OTHER:
        raise ModelError(f"‘{name}’ {OTHER[kind]}")
    if not isinstance(architecture := told.get("general.architecture"), str) or not architecture:
        raise ModelError(f"‘{name}’ does not say what kind of model it is.", "Fetch it again.")
    tokens = told.get("tokenizer.ggml.tokens")
    if told.get("tokenizer.ggml.model") in (None, "", "none", "no_vocab") or not tokens:
        raise ModelError(
            f"‘{name}’ has no tokenizer.", "Convert the model anew, with its tokenizer beside it."
        )
    if not isinstance(tokens, list) or len(set(tokens) | {""}) - 1 != sum(map(bool, tokens)):
        raise ModelError(f"The tokenizer of ‘{name}’ has tokens twice.", "Fetch it again.")
    if told.get(f"{architecture}.attention.causal") is False:
        raise ModelError(
            f"‘{name}’ ({architecture}) is not a causal language model.",
            "Choose one that continues text.",
        )


@dataclass(frozen=True)
class Found:
    """A file that was looked at and may be loaded."""

    name: str
    header: Header

    def memory(self, settings: Settings) -> int:
        """Bytes of its weights as they are, of the least context, and to work in."""
        weights = sum(part.stat().st_size for part in self.header.files)
        return weights + LEAST * self.cell + ROOM

    def load(self, settings: Settings) -> "Copy":
        from lmlab.models.backends.gguf.model import load

        return load(self, settings)

    @property
    def cell(self) -> int:
        """Bytes that a position takes in a context: keys and values of all layers, in 16 bits."""
        number = self.header.number
        heads, width = number("attention.head_count") or 1, number("embedding_length") or 0
        size = width // heads
        keys = number("attention.key_length") or size
        values = number("attention.value_length") or size
        shared = number("attention.head_count_kv") or heads
        return 2 * (number("block_count") or 1) * shared * (keys + values)

    @property
    def context(self) -> int:
        """Positions that it reads at once, all with the same rotary factors."""
        number, whole = self.header.number, self.header.number("context_length") or CONTEXT
        if any("rope_factors_long" in tensor for tensor in self.header.tensors):
            # Beyond this, llama.cpp would take other factors by how much room there is.
            return min(whole, number("rope.scaling.original_context_length") or whole)
        return whole
