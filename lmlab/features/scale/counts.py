"""How large a decoder is, from its shape alone: parameters, memory, FLOPs. Pure arithmetic.

Formulas are counted by part, so that the page can write them out; V is the vocabulary, n the
context, L the layers, d the width, f the width of the feed-forward part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lmlab.errors import InputError

Positions = Literal["learned", "none"]
Norm = Literal["layer", "rms"]

BYTES: Mapping[str, float] = {
    "float32": 4.0,
    "bfloat16": 2.0,
    "float16": 2.0,
    "int8": 1.0,
    "int4": 0.5,
}
# Bytes a parameter of training with AdamW, by the weights' number format: weights, gradients, and
# what the optimiser keeps: two moments in float32, and beside half-width weights a float32 copy of
# them (Rajbhandari et al. 2020, section 3.1). A step's activations come on top.
TRAINING: Mapping[str, tuple[int, int, int]] = {
    "float32": (4, 4, 8),
    "bfloat16": (2, 2, 12),
    "float16": (2, 2, 12),
}
LEAST = {
    **dict.fromkeys(("layers", "width", "heads", "vocabulary", "context", "feed_forward"), 1),
    **dict.fromkeys(("kv_heads", "head_width", "extra_positions"), 0),
}
MOST = 10**7


@dataclass(frozen=True)
class Shape:
    """A decoder's shape."""

    layers: int  # L
    width: int  # d, of the residual stream
    heads: int  # of attention
    vocabulary: int  # V, rows of the embedding table
    context: int  # n, positions that can be read at once
    feed_forward: int  # f, the inner width of the feed-forward part
    kv_heads: int = 0  # heads of keys and values; 0 for as many as ``heads``
    head_width: int = 0  # of one head; 0 for d / heads
    tied: bool = True  # the head is the embedding table
    positions: Positions = "learned"  # a table of n rows, or none, as of rotary positions
    extra_positions: int = 0  # rows of that table beyond n
    gated: bool = False  # the feed-forward part has a third matrix, as in Llama
    norm: Norm = "layer"  # ``layer`` has a gain and a shift, ``rms`` a gain alone
    final_norm: bool = True  # one more norm before the head
    attention_biases: bool = True  # on queries, keys and values
    output_bias: bool = True  # on attention's output
    feed_forward_biases: bool = True  # on both matrices

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not least <= value <= MOST:
                said = name.replace("kv_", "key-value ").replace("_", " ")
                said = said.replace("feed f", "feed-f")
                raise InputError(f"{said} must be from {least} to {MOST:,}, not {value:,}.")
        if not self.head_width and self.width % self.heads:
            raise InputError(
                f"A width of {self.width:,} cannot be shared by {self.heads} heads.",
                "Take a width that the number of heads divides.",
            )
        if self.kv_heads and self.heads % self.kv_heads:
            raise InputError(f"{self.heads} heads cannot share {self.kv_heads} keys and values.")

    @property
    def query_width(self) -> int:
        """Numbers of all queries of a position."""
        return self.heads * (self.head_width or self.width // self.heads)

    @property
    def key_width(self) -> int:
        """Numbers of all keys of a position; as many are its values."""
        return self.query_width // self.heads * (self.kv_heads or self.heads)


@dataclass(frozen=True, slots=True)
class PartCount:
    """The parameters of one part: the formula in the letters of this module, how many in one of
    them, and how many of them: 1, or the layers."""

    name: str
    formula: str
    each: int
    times: int = 1

    @property
    def total(self) -> int:
        """All of them."""
        return self.each * self.times


@dataclass(frozen=True, slots=True)
class LoraMatrix:
    """LoRA beside one matrix W of d × k: W + V·U with V d × ℓ and U ℓ × k."""

    name: str
    d: int
    k: int
    rank: int
    times: int

    @property
    def added(self) -> int:
        """ℓ(d + k), in all layers."""
        return self.rank * (self.d + self.k) * self.times

    @property
    def own(self) -> int:
        """d·k, in all layers."""
        return self.d * self.k * self.times


def parts(shape: Shape) -> tuple[PartCount, ...]:
    """Parameters by part; their sum is exact for the architectures that ``Shape`` describes.

    >>> gpt2 = Shape(12, 768, 12, 50257, 1024, 3072)
    >>> sum(part.total for part in parts(gpt2))
    124439808
    """
    d, f, q, k = shape.width, shape.feed_forward, shape.query_width, shape.key_width
    norm = d * (2 if shape.norm == "layer" else 1)
    positions = (shape.context + shape.extra_positions) * d
    biases = (
        (q + 2 * k) * shape.attention_biases
        + d * shape.output_bias
        + (f * (2 if shape.gated else 1) + d) * shape.feed_forward_biases
    )
    keys = "2d·d" if k == d else f"2d·{k:,}"
    found = (
        PartCount("token embeddings", "V·d", shape.vocabulary * d),
        PartCount("positions", "n·d", positions if shape.positions == "learned" else 0),
        PartCount("attention: queries", "d·d" if q == d else f"d·{q:,}", d * q, shape.layers),
        PartCount("attention: keys and values", keys, 2 * d * k, shape.layers),
        PartCount("attention: output", "d·d" if q == d else f"{q:,}·d", q * d, shape.layers),
        PartCount(
            "feed-forward", "3d·f" if shape.gated else "2d·f", (2 + shape.gated) * d * f,
            shape.layers,
        ),
        PartCount("biases", "of the matrices", biases, shape.layers),
        PartCount("norms", "4d" if shape.norm == "layer" else "2d", 2 * norm, shape.layers),
        PartCount("last norm", "2d" if shape.norm == "layer" else "d", norm * shape.final_norm),
        PartCount("head", "V·d", 0 if shape.tied else shape.vocabulary * d),
    )  # fmt: skip
    return tuple(part for part in found if part.total)


def parameters(shape: Shape) -> int:
    """All parameters, those that are tied counted once."""
    return sum(part.total for part in parts(shape))


def non_embedding(shape: Shape) -> int:
    """Parameters without the tables of embeddings and positions and without the head: the N of
    Kaplan et al. 2020."""
    tables = ("token embeddings", "positions", "head")
    return sum(part.total for part in parts(shape) if part.name not in tables)


def weights_bytes(count: int, dtype: str) -> float:
    """Memory of so many weights in a number format."""
    if dtype not in BYTES:
        raise InputError(f"‘{dtype}’ is no number format.", f"There are: {', '.join(BYTES)}.")
    return count * BYTES[dtype]


def training_bytes(count: int, dtype: str) -> int | None:
    """Memory of so many weights while AdamW trains all of them; None in formats that nobody trains
    in.

    >>> training_bytes(1000, "bfloat16"), training_bytes(1000, "int4")
    (16000, None)
    """
    return count * sum(TRAINING[dtype]) if dtype in TRAINING else None


def cache_bytes(shape: Shape, length: int, dtype: str, batch: int = 1) -> float:
    """Memory of the keys and values of ``length`` positions: two rows a layer and position."""
    return weights_bytes(2 * shape.layers * shape.key_width * length * batch, dtype)


def training_flops(count: int, tokens: int) -> float:
    """6·N·D: two operations a weight and token forward, four backward (Kaplan et al. 2020, 2.1).

    >>> f"{training_flops(174_604_259_328, 300_000_000_000):.2e}"
    '3.14e+23'
    """
    return 6.0 * count * tokens


def training_seconds(flops: float, rate: float, utilisation: float = 1.0) -> float:
    """Time at a machine's rate in operations a second, of which a share is reached."""
    if rate <= 0 or not 0 < utilisation <= 1:
        raise InputError("A rate must be above 0, and the share of it that is reached up to 1.")
    return flops / (rate * utilisation)


def lora(shape: Shape, rank: int, targets: tuple[str, ...] = ("q", "v")) -> tuple[LoraMatrix, ...]:
    """LoRA of rank ℓ beside the named matrices of every layer.

    Args:
        shape: of the model.
        rank: ℓ.
        targets: of q, k, v, o (attention), qkv (the first three as one matrix, as in GPT-2), up,
            down, gate (feed-forward).

    Raises:
        InputError: a name that there is not; q, k or v beside qkv, which holds them; a rank below 1
            or above a matrix's.

    >>> gpt3 = Shape(96, 12288, 96, 50257, 2048, 4 * 12288)
    >>> sum(matrix.added for matrix in lora(gpt3, 1))
    4718592
    """
    d, f, q, k = shape.width, shape.feed_forward, shape.query_width, shape.key_width
    known = {"q": (q, d), "k": (k, d), "v": (k, d), "o": (d, q), "up": (f, d), "down": (d, f)}
    known["qkv"] = (q + 2 * k, d)
    if shape.gated:
        known["gate"] = (f, d)
    if unknown := [name for name in targets if name not in known]:
        raise InputError(f"There is no matrix ‘{unknown[0]}’.", f"There are: {', '.join(known)}.")
    if "qkv" in targets and {"q", "k", "v"} & set(targets):
        raise InputError("‘qkv’ holds q, k and v already.", "Take either it or them.")
    chosen = tuple(dict.fromkeys(targets))
    for name in chosen:
        if not 1 <= rank <= min(known[name]):
            raise InputError(
                f"The rank of ‘{name}’ is from 1 to {min(known[name]):,}, not {rank:,}."
            )
    return tuple(LoraMatrix(name, *known[name], rank, shape.layers) for name in chosen)
