"""What models were trained on: published mixtures, our own from its recipe, and the arithmetic of
epochs. Pure; the only file read is the base's own record of its training.

epochs of a part = weight · total / size: how often each of its tokens is read (Brown et al. 2020,
table 2.2).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lmlab.assets import models_dir
from lmlab.parts.html import filled

Phase = tuple[str, int, int]  # which share counts, windows drawn by it, tokens of a window
Agreement = Literal["same", "explained", "apart", "unknown"]
# Muennighoff et al. 2023, arXiv 2305.16264: up to here repeats change the loss hardly more than
# new data would.
MOST_EPOCHS = 4.0
OUTSIDE = 3.0  # standard deviations: 99.7 % of draws lie within


@dataclass(frozen=True, slots=True)
class Part:
    """One corpus of a mixture, as its source prints it."""

    name: str
    size: float  # in the mixture's unit
    weight: float  # share of what is read in training, from 0 to 1
    epochs: float | None = None  # how often it was read according to the source
    size_step: float = 0.0  # the last printed digit of each; 0 of an exact number
    weight_step: float = 0.0
    epochs_step: float = 0.0
    spread: float = 0.0  # standard deviation of what was read of it, where that was drawn
    about: str = ""


@dataclass(frozen=True)
class Mixture:
    """What one model, or one family of models, was trained on."""

    name: str
    unit: str  # of sizes and of the total, for instance ``billion tokens``
    total: float  # how much is read in training
    parts: tuple[Part, ...]  # in the order of the source
    source: str
    link: str = ""  # address of the source; empty for our own
    remark: str = ""  # what a reader has to know about the figures
    told: str = "published"  # heading of the source's own epochs
    size_digits: int = 0


@dataclass(frozen=True, slots=True)
class Mixed:
    """What a part's weight means: its epochs, what they can be when rounding and chance are allowed
    for, and whether and why they agree with the source's."""

    part: Part
    epochs: float
    low: float
    high: float
    agreement: Agreement
    words: str  # empty where the source gives none


def _printed(told: dict[str, Any]) -> Mixture:
    """A mixture as a paper prints it: of each part its name, size, weight in per cent and epochs,
    the last printed digit of these, and what it is."""
    steps = told.pop("size_step"), told.pop("weight_step")
    parts = (
        Part(name, size, percent / 100, epochs, *steps, step, about=about)
        for name, size, percent, epochs, step, about in told.pop("parts")
    )
    return Mixture(parts=tuple(parts), **told)


def _read() -> tuple[Mixture, Mixture]:
    told = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return _printed(told["gpt3"]), _printed(told["pile"])


GPT3, PILE = _read()


def mixed(mixture: Mixture) -> list[Mixed]:
    """What each part's weight means."""
    return [_mixed(mixture, part) for part in mixture.parts]


def _mixed(mixture: Mixture, part: Part) -> Mixed:
    weight, total = part.weight, mixture.total
    # Weights, sizes and draws within half a printed digit, or within 99.7 % of draws.
    half, wide = part.weight_step / 2, OUTSIDE * part.spread
    low = max(0.0, (weight - half) * total - wide) / (part.size + part.size_step / 2)
    high = ((weight + half) * total + wide) / (part.size - part.size_step / 2)
    epochs = weight * total / part.size
    return Mixed(part, epochs, low, high, *_agree(mixture, part, epochs, low, high))


def _agree(
    mixture: Mixture, part: Part, epochs: float, low: float, high: float
) -> tuple[Agreement, str]:
    """Whether the source's epochs follow from its own weights, and why not exactly."""
    if part.epochs is None:
        return "unknown", ""
    step, reach = part.epochs_step / 2, f"{low:.2f} to {high:.2f}"
    if abs(epochs - part.epochs) <= step + 1e-9:
        return "same", f"The same, as far as {part.epochs:g} is printed."
    if low <= part.epochs + step and part.epochs - step <= high:
        if part.spread:
            return "explained", f"Windows are drawn by chance: 99.7 % of draws give {reach}."
        return "explained", f"Rounding: the printed weight and size allow {reach}."
    if part.spread:
        return "apart", f"Further off than chance: 99.7 % of draws give {reach}."
    implied = 100 * part.epochs * part.size / mixture.total
    return "apart", (
        f"Not rounding alone, which allows {reach}: {part.epochs:g} epochs of {part.size:g} "
        f"{mixture.unit} would be a weight of {implied:.1f} %, not {100 * part.weight:g} %. The "
        "source does not say why."
    )


def drawn() -> str:
    """All that are known, the first one first on the page, as HTML for ``MixtureView``."""
    known = [(one, mixed(one)) for one in (GPT3, base(), PILE) if one]
    return filled("features/data/mixture", mixtures=known, warn=MOST_EPOCHS)


def base() -> Mixture | None:
    """The embedded base's own mixture, whose shares change from phase to phase, from the record
    beside its weights; None without one."""
    record = models_dir() / "base" / "training.json"
    try:
        story = json.loads(record.read_text(encoding="utf-8"))
        phases = [(one["share"], one["windows"], one["length"]) for one in story["phases"]]
        parts = tuple(_drawn(part, phases) for part in story["mixture"])
    except (OSError, ValueError, KeyError):
        return None
    shares = ", ".join(f"{share} on {n * length / 1e6:.1f} M" for share, n, length in phases)
    return Mixture(
        name="base, embedded here",
        unit="million tokens",
        total=_tokens(phases) / 1e6,
        parts=parts,
        source="lmlab’s own recipe: recipes/config.py, and the card of the model",
        remark="The shares of the recipe change on the way; a weight here is the mean over all "
        f"that was read (phases: {shares} tokens). The epochs of the card are counted from the "
        "windows that were drawn.",
        told="counted",
        size_digits=2,
    )


def _tokens(phases: Sequence[Phase]) -> int:
    return sum(windows * length for _, windows, length in phases)


def _drawn(part: Mapping[str, Any], phases: Sequence[Phase]) -> Part:
    """A part of the base's mixture: its shares by phase, its epochs as counted, its origin."""
    drawn = sum(part[share] * windows * length for share, windows, length in phases)
    variance = sum(part[share] * (1 - part[share]) * n * length**2 for share, n, length in phases)
    return Part(
        name=part["name"],
        size=part["tokens"] / 1e6,
        weight=drawn / _tokens(phases),
        epochs=part["epochs"],
        epochs_step=0.01,
        spread=math.sqrt(variance) / 1e6,
        about=f"{part['origin']}; {part['licence']}",
    )
