"""What is published of the GPTs, one row a model; a model at hand is told in the same row.

Nominal is the label that people use, exact what the shape counts to.
"""

from dataclasses import dataclass
from typing import Literal

from lmlab.features.scale.counts import Shape, parameters

Openness = Literal["yes", "partly", "no"]

GPT1_VOCABULARY = 40_478
ROUNDED = "The label is the count, rounded."
RELABELLED = (
    "The label is what the same layers count to with GPT-1’s 40,478 tokens; OpenAI’s own README "
    "later called it wrong."
)
BY_ARITHMETIC = (
    "The label is the count, rounded. The count is arithmetic on table 2.1 of the paper, since the "
    "weights are not public; the LoRA paper counts 175,255.8 M and does not say how."
)
GPT1 = "Radford et al. 2018; width of the tables from the released weights"
GPT2 = "Radford et al. 2019, table 2; heads from the released code"
GPT3 = "Brown et al. 2020, table 2.1"
GPT4 = "OpenAI 2023, technical report; context from OpenAI’s help pages"


@dataclass(frozen=True)
class Opened:
    """What is public of a model: its weights, its training data, its code."""

    model: Openness
    data: Openness
    code: Openness


@dataclass(frozen=True)
class Row:
    """One model of the table. What is not known is None.

    Attributes:
        name: as shown to people.
        layers: L.
        width: d, of the residual stream.
        heads: of attention.
        vocabulary: V, rows of the table of embeddings.
        context: n, positions that can be read at once.
        nominal: the label, such as ``117M``; empty where there is none.
        exact: the count.
        tokens: D, seen in training.
        data: what it was trained on, in words.
        opened: what is public.
        why: how the label and the count come to differ, or what the count leaves out.
        source: of the figures.
        year: of publication.
        shape: where it is known as a whole.
    """

    name: str
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    nominal: str = ""
    exact: int | None = None
    tokens: int | None = None
    data: str = ""
    opened: Opened | None = None
    why: str = ""
    source: str = ""
    year: int | None = None
    shape: Shape | None = None


def row_of(name: str, shape: Shape, **facts: object) -> Row:
    """The row of a known shape; ``facts`` are the fields that a shape does not tell."""
    told = {"exact": parameters(shape), **facts}
    return Row(
        name,
        shape.layers,
        shape.width,
        shape.heads,
        shape.vocabulary,
        shape.context,
        shape=shape,
        **told,  # type: ignore[arg-type]
    )


def _gpt2(name: str, nominal: str, layers: int, width: int, heads: int) -> Row:
    return row_of(
        name,
        Shape(layers, width, heads, 50_257, 1024, 4 * width),
        nominal=nominal,
        data="WebText, about 40 GB",
        opened=Opened("partly", "partly", "yes"),
        why=RELABELLED,
        source=GPT2,
        year=2019,
    )


# What is public of each is told as the lecture tells it.
PUBLISHED: tuple[Row, ...] = (
    row_of(
        "GPT-1",
        Shape(12, 768, 12, GPT1_VOCABULARY, 512, 3072, final_norm=False),
        nominal="117M",
        data="BooksCorpus, about 1 B words",
        opened=Opened("yes", "partly", "yes"),
        why=ROUNDED,
        source=GPT1,
        year=2018,
    ),
    _gpt2("GPT-2 small", "117M", 12, 768, 12),
    _gpt2("GPT-2 medium", "345M", 24, 1024, 16),
    _gpt2("GPT-2 large", "762M", 36, 1280, 20),
    _gpt2("GPT-2 XL", "1542M", 48, 1600, 25),
    row_of(
        "GPT-3",
        Shape(96, 12_288, 96, 50_257, 2048, 4 * 12_288),
        nominal="175B",
        tokens=300_000_000_000,
        data="mixture, 300 B tokens seen",
        opened=Opened("partly", "partly", "no"),
        why=BY_ARITHMETIC,
        source=GPT3,
        year=2020,
    ),
    Row(
        "GPT-4",
        context=8192,
        opened=Opened("no", "no", "no"),
        why="The report gives no size, and nothing of data or code.",
        source=GPT4,
        year=2023,
    ),
)
# A shape of another family, for the builder alone: Touvron et al. 2023.
LLAMA = row_of(
    "Llama 2 7B",
    Shape(
        32, 4096, 32, 32_000, 4096, 11_008, tied=False, positions="none", gated=True, norm="rms",
        attention_biases=False, output_bias=False, feed_forward_biases=False,
    ),
    nominal="7B",
    tokens=2_000_000_000_000,
    why=ROUNDED,
    source="Touvron et al. 2023",
    year=2023,
)  # fmt: skip


def presets() -> tuple[Row, ...]:
    """Shapes that a builder can start from."""
    return (*(row for row in PUBLISHED if row.shape), LLAMA)
