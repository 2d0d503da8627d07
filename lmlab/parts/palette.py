"""Measures a token can be coloured by, their colours, and the visible form of odd characters.

Shared by the page, notebooks and the terminal; knows nothing of results.
"""

from bisect import bisect_right
from dataclasses import dataclass

# From expected to surprising; luminance falls on the light ramp and rises on the dark one.
RAMP = (
    "#ffffff", "#fff6cf", "#fee79b", "#fecb5c", "#fba235",
    "#ee7b1f", "#c44f09", "#993a08", "#612406",
)  # fmt: skip
INK = ("#1e2433",) + ("#2e2000",) * 3 + ("#1f1200",) * 2 + ("#ffffff",) * 3
RAMP_DARK = (
    "#131a2e", "#2c2341", "#472a52", "#652f5a", "#87365a",
    "#b04a4e", "#dd7240", "#f5a544", "#fde08a",
)  # fmt: skip
INK_DARK = ("#e6e9f2",) + ("#ffffff",) * 5 + ("#180c02",) * 3
# Difference: blue where the second model is more surprised, orange where the first one is.
DIFF_RAMP = (
    "#1f5fa8", "#4f8fce", "#8fbbe3", "#cfe2f3", "#ffffff",
    "#fee3bd", "#fdbb70", "#ee8a2b", "#b9540b",
)  # fmt: skip
DIFF_INK = ("#ffffff",) + ("#0b1a2b",) * 3 + ("#1e2433",) + ("#2b1800",) * 3 + ("#ffffff",)
DIFF_RAMP_DARK = (
    "#8fc4ff", "#5a97dc", "#3a69a8", "#26446f", "#131a2e",
    "#5b3517", "#93541b", "#d5842f", "#fdc274",
)  # fmt: skip
DIFF_INK_DARK = ("#0b1a2b",) * 2 + ("#ffffff",) * 5 + ("#180c02",) * 2


@dataclass(frozen=True, slots=True)
class Measure:
    """What a strip can be coloured by.

    Attributes:
        key: its name in code.
        label: its name on the page.
        formula: the lecture's letters; ``_{…}`` is set low.
        unit: of the edges.
        edges: where one colour ends and the next begins, from expected to surprising.
        labels: one for each colour.
    """

    key: str
    label: str
    formula: str
    unit: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]


MEASURES = (
    Measure(
        "logprob", "log-probability", "ln p(x_{i} | x_{<i})", "nats",
        (-1, -2, -3, -4, -6, -8, -10, -12),
        ("0", "−1", "−2", "−3", "−4", "−6", "−8", "−10", "≤ −12"),
    ),
    Measure(
        "surprisal", "surprisal", "−log₂ p(x_{i} | x_{<i})", "bits",
        (1, 2, 4, 6, 8, 10, 13, 16),
        ("0", "1", "2", "4", "6", "8", "10", "13", "≥ 16"),
    ),
    Measure(
        "probability", "probability", "p(x_{i} | x_{<i})", "",
        (0.9, 0.75, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001),
        ("1", ".9", ".75", ".5", ".25", ".1", ".03", ".01", "≤ .001"),
    ),
    Measure(
        "rank", "rank", "place of x_{i} among all tokens", "",
        (2, 3, 5, 10, 30, 100, 1000, 10_000),
        ("1", "2", "3", "5", "10", "30", "100", "1000", "≥ 10⁴"),
    ),
    Measure(
        "entropy", "entropy", "H(p(· | x_{<i}))", "bits",
        (1, 2, 3, 4, 5, 6, 8, 10),
        ("0", "1", "2", "3", "4", "5", "6", "8", "≥ 10"),
    ),
)  # fmt: skip
DIFFERENCE = Measure(
    "difference", "difference", "−log₂ p₁(x_{i}) + log₂ p₂(x_{i})", "bits",
    (-4, -2, -1, -0.25, 0.25, 1, 2, 4),
    ("≤ −4", "−4", "−2", "−1", "0", ".25", "1", "2", "≥ 4"),
)  # fmt: skip
DIVERGENCES = (
    Measure(
        "kl", "KL(1‖2)", "Σ p₁ log₂ p₁ / p₂", "bits",
        (0.01, 0.03, 0.1, 0.3, 0.6, 1, 2, 4),
        ("0", ".01", ".03", ".1", ".3", ".6", "1", "2", "≥ 4"),
    ),
    Measure(
        "kl_reverse", "KL(2‖1)", "Σ p₂ log₂ p₂ / p₁", "bits",
        (0.01, 0.03, 0.1, 0.3, 0.6, 1, 2, 4),
        ("0", ".01", ".03", ".1", ".3", ".6", "1", "2", "≥ 4"),
    ),
)  # fmt: skip
PER_BYTE = Measure(
    "per_byte", "difference a byte", "bits per byte, first model − second", "bits",
    (-2, -1, -0.5, -0.1, 0.1, 0.5, 1, 2),
    ("≤ −2", "−2", "−1", "−.5", "0", ".1", ".5", "1", "≥ 2"),
)  # fmt: skip
ALL = (*MEASURES, DIFFERENCE, *DIVERGENCES, PER_BYTE)
_BY_KEY = {measure.key: measure for measure in ALL}
NAMED = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\xa0": "⍽", "\ufeff": "⟨U+FEFF⟩"}


def bin_of(value: float, measure: str) -> int:
    """The colour of a value: 0 (expected) to 8; for ``difference`` 4 is none.

    >>> bin_of(0.3, "surprisal"), bin_of(99, "surprisal"), bin_of(0.5, "probability")
    (0, 8, 3)
    """
    edges = _BY_KEY[measure].edges
    if edges[0] > edges[-1]:
        return bisect_right([-edge for edge in edges], -value)
    return bisect_right(edges, value)


def visible(text: str) -> str:
    """Line breaks, tabs and control characters as signs that can be seen."""
    if text.isprintable():
        return text
    return "".join(map(_visible_char, text))


def _visible_char(char: str) -> str:
    if char in NAMED:
        return NAMED[char]
    if char < " ":
        return chr(0x2400 + ord(char))
    # Joiners are a part of emoji and of Persian or Indic words.
    return char if char.isprintable() or char in "\u200c\u200d" else f"⟨U+{ord(char):04X}⟩"
